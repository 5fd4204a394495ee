"""The images that this Plancton brought to the node, and those it removed again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PulledImage:
    """An image that was not on the node before Plancton pulled it. Times are of the wall clock."""

    id: str
    reference: str
    """By which it was pulled."""
    named: bool
    """Whether the reference meant nothing on the node before, so that the name is ours, too."""
    superseded_at: float | None = None
    """Since when the reference means another image; None: it means this one."""
    unwanted_at: float | None = None
    """Since when no profile has the reference; None: one has."""


@dataclass(frozen=True, slots=True)
class RemovedImage:
    """An image that was removed from the node, for people to read."""

    id: str
    reference: str
    freed: int | None
    """Bytes on disk; None where the engine does not tell."""
