"""The node itself: CPU, memory, load and disk, by psutil and the parent cgroup."""

from __future__ import annotations

import os
from collections.abc import Callable

import psutil

from plancton.engine.model import HostSample
from plancton.runtime.cgroup import ParentCgroup


class HostSampler:
    """Implements ``ports.Host``; a sample costs the same with any number of pilots."""

    def __init__(self, parent: ParentCgroup, data_root: Callable[[], str]) -> None:
        """Measure beside *parent*; disk space is that of the path *data_root* returns."""
        self.parent, self.data_root = parent, data_root

    @property
    def protection_note(self) -> str:
        """How to get the full protection; empty if it is there."""
        return self.parent.note

    def sample(self, now: float) -> HostSample:
        """Read counters and levels, and have the idle class verified."""
        protection = self.parent.verify()
        cpu, memory = psutil.cpu_times(), psutil.virtual_memory()
        # Guest time is part of user; idle and iowait are time that pilots can use.
        busy = cpu.user + cpu.nice + cpu.system + cpu.irq + cpu.softirq + cpu.steal
        return HostSample(
            at=now,
            ncpus=psutil.cpu_count() or 1,
            busy_seconds=busy,
            own_seconds=self.parent.own_seconds(),
            memory_total=memory.total,
            memory_available=memory.available,
            swap_total=psutil.swap_memory().total,
            load1=os.getloadavg()[0],
            disk_free=self._disk_free(),
            protection=protection,
        )

    def _disk_free(self) -> int:
        try:
            return psutil.disk_usage(self.data_root()).free
        except OSError:
            return psutil.disk_usage("/").free
