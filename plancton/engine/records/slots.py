"""The places that pilots take one after the other. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from plancton.engine.model.pilot import Pilot


@dataclass(frozen=True, slots=True)
class Slot:
    """One place among the pilots of a profile."""

    number: int = 0
    before: int = 0
    """Pilots that had it before."""
    last_exit: str = ""
    """Why the last of them ended."""


class Slots:
    """Gives each new pilot the lowest free place of its profile, and remembers who had it."""

    def __init__(self) -> None:
        """Start with all places free and new."""
        self._taken: dict[str, tuple[str, Slot]] = {}
        self._free: dict[tuple[str, int], Slot] = {}
        self._ends: dict[str, str] = {}

    def see(self, pilots: Iterable[Pilot]) -> None:
        """Give places to new pilots, and free those of pilots that have gone."""
        present = {pilot.id: pilot for pilot in pilots}
        for id_ in self._taken.keys() - present.keys():
            profile, old = self._taken.pop(id_)
            why = self._ends.pop(id_, "removed by somebody else")
            self._free[profile, old.number] = Slot(old.number, old.before + 1, why)
        new = present.keys() - self._taken.keys()
        for id_ in sorted(new, key=lambda i: (present[i].created_at, i)):
            profile = present[id_].profile
            used = {slot.number for name, slot in self._taken.values() if name == profile}
            number = next(n for n in count(1) if n not in used)
            self._taken[id_] = profile, self._free.pop((profile, number), Slot(number))

    def end(self, id_: str, why: str) -> None:
        """Take note of why a pilot is removed."""
        self._ends[id_] = why

    def of(self, id_: str) -> Slot:
        """Return a pilot's place."""
        return self._taken[id_][1] if id_ in self._taken else Slot()
