"""What tasks outside of the pilots' cgroup waited for a core, on cgroup v2."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from plancton.engine.model.node import Stalled
from plancton.runtime.pressure import read_pressure

_FULL = 100.0


class SiblingPressure:
    """Adds up the CPU pressure of cgroups, some of which come and go."""

    def __init__(self) -> None:
        """Count from the first look on."""
        self._totals: dict[str, float] = {}
        self._seconds = 0.0

    def read(self, folders: Iterable[Path]) -> Stalled | None:
        """Return the sums over these cgroups; None where the kernel keeps no pressure of any.

        The seconds never fall, and a cgroup that is new counts from now on. The percentages are
        added up too, to 100 at most.
        """
        found = {}
        for folder in folders:
            pressure = read_pressure(folder / "cpu.pressure")
            if pressure is not None:
                found[folder.name] = pressure
        if not found:
            return None
        for name, each in found.items():
            self._seconds += max(0.0, each.seconds - self._totals.get(name, each.seconds))
        self._totals = {name: each.seconds for name, each in found.items()}
        percent = min(_FULL, sum(each.percent for each in found.values()))
        return Stalled(percent, self._seconds, foreground_only=True)
