"""What another configuration would do, for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """One action that would be taken."""

    does: str
    """spawn, freeze, thaw, terminate, kill or remove."""
    subject: str
    """Name of the pilot, or of the profile to start."""
    text: str
    """The reason."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the next tick would do, and why nothing more."""

    maximum: int
    actions: tuple[Planned, ...]
    findings: tuple[str, ...]
