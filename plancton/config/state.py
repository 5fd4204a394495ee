"""The configuration in force, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass

from plancton.config.schema import Config


@dataclass(frozen=True, slots=True)
class ConfigState:
    """The last good configuration."""

    config: Config
    source: str
    """The file it came from, or "built-in defaults"."""
    revision: int = 1
    error: str = ""
    """Why the newest file is not in force; empty if it is."""
    warnings: tuple[str, ...] = ()
