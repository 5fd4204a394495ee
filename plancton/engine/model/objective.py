"""What is known of the figures that an owner's objectives are about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The last reading of a figure, and what is wrong since."""

    value: float | None = None
    """None: it was never read."""
    at: float = 0.0
    """When it was read, seconds of the boot clock."""
    error: str = ""
    """Why the newest try failed; empty: it did not, or there was none yet."""
