"""The node itself: CPU, memory, load and disk, by psutil and the parent cgroup."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from plancton.engine.model.bounds import Bounds
from plancton.engine.model.node import HostSample, NetworkShare, Stalled
from plancton.runtime.cgroup import MemoryReclaimer, ParentCgroup, keep_bounds, kernel_file
from plancton.runtime.cpus import cpu_domains
from plancton.runtime.foreground_wait import ForegroundWait, Waited
from plancton.runtime.local_time import local_time
from plancton.runtime.login_sessions import login_sessions
from plancton.runtime.power import on_battery
from plancton.runtime.pressure import read_pressure

_READINGS = 5


class HostSampler:
    """Implements ``ports.Host``; a sample costs the same with any number of pilots."""

    def __init__(
        self,
        parent: ParentCgroup,
        data_root: Callable[[], str],
        reclaimer: MemoryReclaimer | None = None,
        network: Callable[[], NetworkShare | None] = lambda: None,
    ) -> None:
        """Measure beside *parent*; disk space is that of the path *data_root* returns.

        Without a *reclaimer* frozen pilots keep their memory. *network* tells how pilots are held
        back on the network.
        """
        self.parent, self.data_root, self.network = parent, data_root, network
        self._reclaimer = reclaimer
        self._foreground_wait = ForegroundWait(parent)

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
        swap = psutil.swap_memory()
        disk, (users, idle) = self._disk(), _users()
        local, waited = local_time(), self._foreground_wait.read()
        return HostSample(
            at=now,
            ncpus=psutil.cpu_count() or 1,
            busy_seconds=busy,
            own_seconds=self.parent.own_seconds(),
            suspended_seconds=suspended_seconds(),
            memory_total=memory.total,
            memory_available=memory.available,
            swap_total=swap.total,
            swap_free=swap.free,
            pids_total=_pids(),
            load1=os.getloadavg()[0],
            disk_free=disk.f_bavail * disk.f_frsize,
            protection=protection,
            own_memory=self.parent.own_memory(),
            disk_total=disk.f_blocks * disk.f_frsize,
            inodes_free=disk.f_favail,
            inodes_total=disk.f_files,
            stalled=_stalled(waited),
            waited_seconds=waited.seconds,
            waited_missing=waited.missing,
            users=users,
            user_idle=idle,
            on_battery=on_battery(),
            minute_of_week=(local.tm_wday * 24 + local.tm_hour) * 60 + local.tm_min,
            network=self.network(),
            cpu_domains=cpu_domains(self.parent),
        )

    def enforce(self, bounds: Bounds) -> None:
        """Keep the parent cgroup's limits."""
        keep_bounds(self.parent, bounds)

    def reclaim(self, pilots: tuple[str, ...]) -> None:
        """Hand them to the reclaimer."""
        if self._reclaimer is not None:
            self._reclaimer.want(pilots)

    def _disk(self) -> os.statvfs_result:
        """Return blocks and inodes, in all and those that are free to everybody."""
        try:
            return os.statvfs(self.data_root())
        except OSError:
            return os.statvfs("/")


def suspended_seconds(
    boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    awake: Callable[[], float] = time.monotonic,
) -> float:
    """Return the seconds in suspend since boot: those that the clock *awake* does not count.

    A busy machine may take the CPU away between reading one clock and the other, which must not
    look like a suspend: of a few readings, the one that took least counts.
    """
    readings = []
    for _ in range(_READINGS):
        before, at, after = awake(), boot(), awake()
        readings.append((after - before, at - after))
    return min(readings)[1]


def _pids(folder: Path = Path("/proc/sys/kernel")) -> int:
    """Return how many processes and threads the kernel allows; 0 where it does not tell."""
    found = (kernel_file.read(folder / name) for name in ("pid_max", "threads-max"))
    return min((int(each) for each in found if each), default=0)


def _stalled(waited: Waited, folder: Path = Path("/proc/pressure")) -> dict[str, Stalled]:
    """Read the kernel's pressure stall information; empty without it.

    That of the CPU is the foreground's own, where it is known.
    """
    found = {name: read_pressure(folder / name) for name in ("cpu", "memory", "io")}
    found["cpu"] = waited.pressure or found["cpu"]
    return {name: each for name, each in found.items() if each is not None}


def _users() -> tuple[int, float | None]:
    """Return sessions, and seconds since the last key stroke on any of their terminals.

    A graphical session has no terminal to look at; its user counts as active.
    """
    sessions = login_sessions()
    idle = [_idle(each.terminal) for each in sessions]
    return len(sessions), min(idle, default=None)


def _idle(terminal: str) -> float:
    try:
        return max(0.0, time.time() - Path("/dev", terminal or "none").stat().st_atime)
    except OSError:
        return 0.0
