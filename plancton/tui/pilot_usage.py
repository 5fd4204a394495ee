"""What each pilot used of late, for its curves. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from plancton.engine.views.snapshot import Snapshot

_KEPT, _STEP = 240, 1.0
"""Samples of a pilot, and seconds between two of them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a pilot used at one moment."""

    cpu: float
    """Cores."""
    memory: float
    """Bytes."""


class PilotUsage:
    """The last samples of each pilot that is there, by its ID."""

    def __init__(self) -> None:
        """Start empty."""
        self._samples: dict[str, deque[Usage]] = {}
        self._sampled_at = 0.0

    def add(self, snapshot: Snapshot) -> None:
        """Take a sample of all pilots, unless the last one is too fresh; forget those that left."""
        if snapshot.wall - self._sampled_at < _STEP:
            return
        self._sampled_at = snapshot.wall
        old, self._samples = self._samples, {}
        for pilot in snapshot.pilots:
            samples = self._samples[pilot.id] = old.get(pilot.id) or deque(maxlen=_KEPT)
            samples.append(Usage(pilot.cpu or 0.0, float(pilot.memory_used or 0)))

    def samples(self, id_: str) -> Sequence[Usage]:
        """Return the samples of a pilot, oldest first."""
        return self._samples.get(id_, ())
