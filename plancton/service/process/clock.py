"""The real clock."""

from __future__ import annotations

import time

from plancton.runtime.local_time import local_time


class SystemClock:
    """The boot clock for durations, the wall clock for people and labels."""

    def now(self) -> float:
        """Return seconds since boot, suspended time included; no step ever touches it."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def day(self) -> str:
        """Return today's date by the node's own clock."""
        return time.strftime("%Y-%m-%d", local_time())
