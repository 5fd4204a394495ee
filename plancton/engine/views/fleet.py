"""All nodes as their database knows them: who is in trouble comes first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plancton.config.units import format_duration

_MISSED, _SHORTEST = 3, 90.0
"""Reports of a node, and seconds, that may be missing before it is called silent."""


@dataclass(frozen=True, slots=True)
class Member:
    """What one node reported last."""

    node: str
    instance: str
    seen_wall: float
    """When that was, seconds since 1970."""
    interval: float
    """Seconds between its reports."""
    mode: str
    running: int
    frozen: int
    maximum: int
    """Most pilots at a time."""
    ncpus: int
    efficiency: float | None
    """Cores in use by the owner and pilots, per cent of all; None: not measured."""
    harvested_today: float
    """Core-seconds used by pilots on its last day."""
    down: bool
    """Whether its Docker is away or its configuration refused."""
    trouble: str
    """What it said was wrong; empty: nothing."""

    def silence(self, now: float) -> float:
        """Return for how many seconds it owes a report; 0: it does not."""
        quiet = now - self.seen_wall
        return quiet if quiet > max(_SHORTEST, _MISSED * self.interval) else 0.0

    def ails(self, now: float) -> str:
        """Say what is wrong; empty: nothing."""
        silence = self.silence(now)
        words = [f"silent for {format_duration(silence)}"] if silence else []
        return "; ".join([*words, self.trouble] if self.trouble else words)

    def rank(self, now: float) -> int:
        """Return how much it needs care: 0 the most."""
        urgent = (self.silence(now) > 0, self.down, bool(self.trouble), self.mode != "active")
        return next((place for place, holds in enumerate(urgent) if holds), len(urgent))


def by_trouble(members: Iterable[Member], now: float) -> tuple[Member, ...]:
    """Return nodes with those in trouble first, then by name."""
    return tuple(sorted(members, key=lambda m: (m.rank(now), m.node, m.instance)))
