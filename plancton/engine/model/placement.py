"""Where pilots may run, to keep the owner's tail latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Placement:
    """What is decided of the CPUs of pilots."""

    spread: bool = False
    """Each pilot is bound to cores of its own; else they roam: each may use all cores."""
    text: str = ""
    """How it stands, in words."""
    cpus: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """CPUs of each pilot whose CPUs are to be changed, by its ID; to roam, it has all."""


@dataclass(frozen=True, slots=True)
class BindFailure:
    """The engine did not change a running pilot: how often in a row, and until when it rests."""

    failures: int
    retry_at: float
    why: str
