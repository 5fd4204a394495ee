"""The cgroup of one pilot: where it lies, its limits, and the levers that act on it.

Of cgroup v2 it has two folders, for processes may only be in leaves: ``pilot``, which is limited
and frozen, and ``shim``, which is not. Of v1 the shim is in the parent's own.
"""

from __future__ import annotations

import math
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plancton.config.schema import Profile
from plancton.engine.model.cpu_list import format_cpu_list, parse_cpu_list
from plancton.runtime.cgroup import ParentCgroup, kernel_file

_PERIOD = 100_000
"""Microseconds over which a quota counts."""
_APART = ("freezer", "cpuset")
_V1 = ("cpu", "cpuacct", "memory", "pids", "cpuset", "freezer", "blkio")

Write = tuple[str, str, bool]
"""A file of the kernel, its value, and whether a pilot must not run without it."""


@dataclass(frozen=True, slots=True)
class CgroupTask:
    """What a shim does to make a pilot's cgroup."""

    folders: tuple[str, ...]
    own: tuple[str, ...]
    """Files that the shim writes its process into."""
    writes: tuple[Write, ...]
    procs: tuple[str, ...]
    """Files that the pilot's process is written into."""
    oom_file: str


class PilotCgroup:
    """The cgroup of the pilot called *name* below its *parent*."""

    def __init__(self, parent: ParentCgroup, name: str) -> None:
        """Know where it is; nothing is made here."""
        self._parent, self._name = parent, name
        self._unified = parent.unified

    def _at(self, controller: str) -> Path | None:
        """Return the folder that limits the pilot; None: there is no such controller."""
        place = self._parent.pilot_place(controller, self._name)
        return place / "pilot" if place and self._unified else place

    def task(
        self, profile: Profile, cpus: tuple[int, ...], held_to: float, *, low_weight: bool
    ) -> CgroupTask:
        """Return how the shim of a new pilot makes its cgroup."""
        weight = 2 if low_weight else min(262_144, max(2, round(1024 * profile.cpus)))
        make = self._task_v2 if self._unified else self._task_v1
        return make(profile, cpus, held_to, weight)

    def _task_v2(
        self, profile: Profile, cpus: tuple[int, ...], held_to: float, weight: int
    ) -> CgroupTask:
        base = self._parent.pilot_place("cpu", self._name)
        if base is None:
            raise OSError("no cgroup of version 2 is mounted")
        inner = base / "pilot"
        enabled = [
            (f"{place}/cgroup.subtree_control", f"+{name}", False)
            for place in (base.parent, base)
            for name in ("cpu", "memory", "pids", "cpuset", "io")
        ]
        # As runc turns shares into weights: 2 to 1, 262144 to 10000.
        limits: list[Write] = [
            (f"{inner}/memory.max", str(profile.memory), True),
            (f"{inner}/memory.swap.max", str(profile.swap), False),
            (f"{inner}/memory.oom.group", "1", False),
            (f"{inner}/cpu.weight", str(1 + (weight - 2) * 9999 // 262_142), False),
            (f"{inner}/cpu.max", _cpu_max(held_to), True),
        ]
        if profile.pids > 0:
            limits.append((f"{inner}/pids.max", str(profile.pids), True))
        if cpus:
            limits.append((f"{inner}/cpuset.cpus", format_cpu_list(cpus), True))
        return CgroupTask(
            (f"{base}/shim", f"{inner}"),
            (f"{base}/shim/cgroup.procs",),
            (*enabled, *limits),
            (f"{inner}/cgroup.procs",),
            f"{inner}/memory.events",
        )

    def _task_v1(
        self, profile: Profile, cpus: tuple[int, ...], held_to: float, weight: int
    ) -> CgroupTask:
        places = {name: place for name in _V1 if (place := self._at(name))}
        limits: list[Write] = []
        if cpuset := places.get("cpuset"):
            for key in ("cpuset.cpus", "cpuset.mems"):  # a new one has none
                every = kernel_file.read(cpuset.parent.parent / key) or "0"
                limits += [(f"{cpuset.parent}/{key}", every, False)]
                wanted = format_cpu_list(cpus) if cpus and key == "cpuset.cpus" else every
                limits += [(f"{cpuset}/{key}", wanted, True)]
        if cpu := places.get("cpu"):
            limits += [(f"{cpu}/cpu.shares", str(weight), False)]
            limits += [(f"{cpu}/cpu.cfs_period_us", str(_PERIOD), False)]
            limits += [(f"{cpu}/cpu.cfs_quota_us", _quota(held_to), True)]
        if memory := places.get("memory"):
            both = str(profile.memory + profile.swap)
            limits += [(f"{memory}/memory.limit_in_bytes", str(profile.memory), True)]
            limits += [(f"{memory}/memory.memsw.limit_in_bytes", both, False)]
        if (pids := places.get("pids")) and profile.pids > 0:
            limits += [(f"{pids}/pids.max", str(profile.pids), True)]
        unique = sorted({str(place) for place in places.values()})
        shims = {
            f"{place.parent}/cgroup.procs" for name, place in places.items() if name != "freezer"
        }
        return CgroupTask(
            tuple(unique),
            tuple(sorted(shims - {f"{cpuset.parent}/cgroup.procs"} if cpuset else shims)),
            tuple(limits),
            tuple(f"{place}/cgroup.procs" for place in unique),
            f"{places['memory']}/memory.oom_control" if "memory" in places else "",
        )

    def freeze(self) -> str:
        """Stop all its processes; returns why not, empty: they stand, or there are none."""
        return self._set_frozen(frozen=True)

    def thaw(self) -> str:
        """Let them go on; returns why not."""
        return self._set_frozen(frozen=False)

    def _set_frozen(self, *, frozen: bool) -> str:
        place = self._at("freezer")
        if place is None:
            return "there is no freezer controller"
        if not place.exists():
            return ""
        if self._unified:
            return kernel_file.write(place / "cgroup.freeze", "1" if frozen else "0")
        return kernel_file.write(place / "freezer.state", "FROZEN" if frozen else "THAWED")

    @property
    def frozen(self) -> bool:
        """Whether its processes are stopped where they are."""
        place = self._at("freezer")
        if place is None:
            return False
        if self._unified:
            return kernel_file.read(f"{place}/cgroup.freeze") == "1"
        return (kernel_file.read(f"{place}/freezer.state") or "THAWED") != "THAWED"

    def kill(self) -> None:
        """Kill all its processes, frozen ones too."""
        place = self._at("freezer" if not self._unified else "cpu")
        if place is None:
            return
        # In one stroke since Linux 5.14.
        if not self._unified or kernel_file.write(place / "cgroup.kill", "1"):
            for pid in (kernel_file.read(place / "cgroup.procs") or "").split():
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
        if not self._unified:
            self.thaw()  # there a frozen process dies when it goes on

    def hold(self, cores: float) -> str:
        """Let it use so many cores, infinite: all; returns why not."""
        place = self._at("cpu")
        if place is None or not place.exists():
            return ""
        if self._unified:
            return kernel_file.write(place / "cpu.max", _cpu_max(cores))
        return kernel_file.write(place / "cpu.cfs_quota_us", _quota(cores))

    @property
    def held_to(self) -> float | None:
        """Cores that its quota lets it use, infinite: it has none; None: that is not known."""
        place = self._at("cpu")
        if self._unified:
            quota, _, period = (kernel_file.read(f"{place}/cpu.max") or "").partition(" ")
        else:
            quota = kernel_file.read(f"{place}/cpu.cfs_quota_us") or ""
            period = kernel_file.read(f"{place}/cpu.cfs_period_us") or ""
        if not quota or not period:
            return None
        return math.inf if quota in ("max", "-1") else int(quota) / int(period)

    def bind(self, cpus: tuple[int, ...]) -> str:
        """Let it use these CPUs only; returns why not."""
        place = self._at("cpuset")
        if place is None or not (place / "cpuset.cpus").exists():
            return "" if place and not place.exists() else "there is no cpuset controller"
        return kernel_file.write(place / "cpuset.cpus", format_cpu_list(cpus))

    @property
    def cpus(self) -> tuple[int, ...]:
        """CPUs that its cpuset names; of cgroup v1 it always names some."""
        place = self._at("cpuset")
        return parse_cpu_list(kernel_file.read(f"{place}/cpuset.cpus") or "") if place else ()

    def remove(self) -> None:
        """Remove its folders, as far as nothing lives in them."""
        for controller in ("cpu",) if self._unified else _V1:
            place = self._parent.pilot_place(controller, self._name)
            for folder in (place / "pilot", place / "shim", place) if place else ():
                with suppress(OSError):
                    folder.rmdir()


def _cpu_max(cores: float) -> str:
    return f"{'max' if math.isinf(cores) else int(cores * _PERIOD)} {_PERIOD}"


def _quota(cores: float) -> str:
    return "-1" if math.isinf(cores) else str(int(cores * _PERIOD))
