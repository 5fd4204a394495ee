"""Takes the memory of frozen pilots back, step by step, on a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

from plancton.runtime.cgroup.parent import ParentCgroup
from plancton.runtime.cgroup.pilot_memory import PilotMemory

STEP = 32 * 2**20
"""Bytes asked of the kernel at a time: within a second even on a slow disk."""
LEAST = 2**20
"""A step that gave less was in vain: the rest cannot be moved now."""
REST = 30.0
"""Seconds until a pilot that has no more to give is asked again."""
_NICENESS = 10


class MemoryReclaimer:
    """Works on the pilots named last, one after the other, until each has no more to give."""

    def __init__(self, parent: ParentCgroup) -> None:
        """Work on the pilots below *parent*; nothing happens before ``run``."""
        self._memory = PilotMemory(parent)
        self._pilots: tuple[str, ...] = ()
        self._resting: dict[str, float] = {}
        self._stopped = False
        self._changed = threading.Condition()

    def want(self, pilots: tuple[str, ...]) -> None:
        """Name the pilots, which take the place of those before. Never blocks for long."""
        with self._changed:
            if pilots != self._pilots:
                self._pilots = pilots
                self._resting = {i: at for i, at in self._resting.items() if i in pilots}
                self._changed.notify()

    def stop(self) -> None:
        """Have ``run`` return after the step under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def run(self) -> None:
        """Work until stopped. The owner, who may be short of CPU too, goes first."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while (pilot := self._next()) is not None:
            if self._memory.reclaim(pilot, STEP) < LEAST:
                with self._changed:
                    self._resting[pilot] = time.monotonic() + REST

    def _next(self) -> str | None:
        """Wait for a pilot that may have something to give; None: it is over."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                waits = [max(0.0, self._resting.get(i, now) - now) for i in self._pilots]
                for pilot, wait in zip(self._pilots, waits, strict=True):
                    if not wait:
                        return pilot
                self._changed.wait(min(waits, default=None))
        return None
