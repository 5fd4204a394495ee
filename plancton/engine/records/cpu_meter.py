"""Cores used by each pilot, from its CPU counter. Pure."""

from __future__ import annotations

from plancton.engine.model.pilot import Pilot


class CpuMeter:
    """Turns pilots' CPU counters into cores used between two looks."""

    def __init__(self) -> None:
        """Start without a first look."""
        self._last: dict[str, tuple[float, float]] = {}
        self._looked_at: float | None = None
        self._suspended = 0.0
        self.cores: dict[str, float] = {}

    def measure(self, pilots: tuple[Pilot, ...], now: float, suspended: float = 0.0) -> None:
        """Take a look; looks less than half a second apart keep the earlier figure.

        *suspended* are the seconds since boot that *now* counts and no CPU counter does.
        """
        self._skip(suspended - self._suspended)
        self._suspended = suspended
        last: dict[str, tuple[float, float]] = {}
        cores: dict[str, float] = {}
        for pilot in pilots:
            if pilot.cpu_seconds is None:
                continue
            at, used = self._last.get(pilot.id) or self._first(pilot, pilot.cpu_seconds, now)
            if now - at >= 0.5:
                cores[pilot.id] = max(0.0, pilot.cpu_seconds - used) / (now - at)
                at, used = now, pilot.cpu_seconds
            elif pilot.id in self.cores:
                cores[pilot.id] = self.cores[pilot.id]
            last[pilot.id] = (at, used)
        self._last, self.cores, self._looked_at = last, cores, now

    def _skip(self, seconds: float) -> None:
        """Measure as if the earlier looks had been so many *seconds* later."""
        self._last = {id_: (at + seconds, used) for id_, (at, used) in self._last.items()}
        if self._looked_at is not None:
            self._looked_at += seconds

    def _first(self, pilot: Pilot, used: float, now: float) -> tuple[float, float]:
        """Return time and counter to measure a new pilot from: its start, if that was seen."""
        started, before = pilot.started_at, self._looked_at
        if started is not None and before is not None and started >= before:
            return started, 0.0
        return now, used
