"""The one parent cgroup of all pilots: in the idle class, and the meter of their CPU time.

The kernel then runs pilots only on what the rest leaves, at scheduler speed. Both worlds are
known: cgroup v1 and v2, Docker's cgroupfs driver and its systemd driver.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plancton.engine.model.node import Protection
from plancton.runtime.cgroup import kernel_file
from plancton.runtime.cgroup.hierarchy import Hierarchy, hierarchy

log = logging.getLogger("plancton")

DEFAULT_INSTANCE = "root"
_NOTES = {
    Protection.IDLE: "",
    Protection.USERS_IDLE: (
        "this user's own processes go first, others do not; run Plancton as root to protect all"
    ),
    Protection.LOW_WEIGHT: "this kernel has no cpu.idle; Linux 5.15 and newer have",
}
"""How to get the full protection, where that is known without a look."""


class ParentCgroup:
    """The parent cgroup of one instance's pilots."""

    def __init__(
        self,
        instance: str,
        mounts: Path = Path("/proc/mounts"),
        unit: str = "",
        below: str = "",
    ) -> None:
        """Know the name; the place is known after ``configure``.

        *unit* is how systemd's unit of a pilot is called, by the pilot's ID; empty: as Docker and
        Podman call it. With systemd the slice lies *below* a cgroup, that of a user's own manager;
        empty: at the root.
        """
        self._unit, self._below = unit, f"{below}/" if below else ""
        self.base = "plancton" if instance == DEFAULT_INSTANCE else f"plancton-{instance}"
        self.name: str | None = None
        """What Docker is told as cgroup parent; None: nothing, its default is used."""
        self.protection = Protection.WEIGHT_ONLY
        self.note = "Docker has not been seen yet"
        self._mounts = mounts
        self._hierarchy: Hierarchy | None = None
        self._groups: tuple[str, ...] = ()
        self._systemd = False
        self._pilot_name = "{}"
        self._last_reading = self._earlier_seconds = 0.0

    def configure(self, info: Mapping[str, Any]) -> None:
        """Learn from Docker's ``/info`` which world this is, and prepare the parent."""
        self._systemd = info.get("CgroupDriver") == "systemd"
        self._pilot_name = (self._systemd and self._unit) or _pilot_name(info)
        if any("rootless" in option for option in info.get("SecurityOptions") or ()):
            self.give_up("rootless Docker: its pilots cannot be put into the node's idle class")
            return
        unified = str(info.get("CgroupVersion", "1")) == "2"
        self._hierarchy = hierarchy(self._mounts.read_text(), unified=unified)
        if self._systemd:
            # A dash nests slices: plancton-x.slice lies in plancton.slice and shares its class.
            self.name = f"{self.base}.slice"
            top = "plancton.slice"
            top_group = f"{self._below}{top}"
            inner = () if self.name == top else (f"{top_group}/{self.name}",)
            self._groups = (top_group, *inner)
        else:
            self.name = f"/{self.base}"
            self._groups = (self.base,)
        self.protection = self._protect()
        self.note = self._note()
        self._log_protection()

    def give_up(self, why: str) -> None:
        """Leave the pilots where Docker puts them, because they cannot be reached."""
        self.name, self._hierarchy, self._groups = None, None, ()
        self.protection, self.note = Protection.WEIGHT_ONLY, why
        self._log_protection()

    def verify(self) -> Protection:
        """Check the idle class, set it again where that was lost, and return what holds now."""
        before = self.protection
        self.protection = self._protect()
        self.note = self._note()
        if self.protection is not before:
            self._log_protection()
        return self.protection

    def _log_protection(self) -> None:
        fields = {"level": self.protection.value, **({"to_mend": self.note} if self.note else {})}
        log.info("protection", extra={"fields": fields})

    def _protect(self) -> Protection:
        if self._hierarchy is None or self._hierarchy.cpu is None:
            return Protection.WEIGHT_ONLY
        places = [self._hierarchy.cpu / each for each in self._groups]
        idle = Protection.USERS_IDLE if self._below else Protection.IDLE
        if any(kernel_file.read(place / "cpu.idle") == "1" for place in places):
            self._lower_io()
            return idle
        if not self._systemd:
            self._create_group()
        if kernel_file.ensure(places[-1] / "cpu.idle", "1"):
            self._lower_io()
            return idle
        name, lowest = ("cpu.weight", "1") if self._hierarchy.unified else ("cpu.shares", "2")
        if (places[-1] / "cpu.idle").exists():
            return Protection.WEIGHT_ONLY  # no right to write it
        lowered = kernel_file.ensure(places[-1] / name, lowest)
        return Protection.LOW_WEIGHT if lowered else Protection.WEIGHT_ONLY

    def _create_group(self) -> None:
        tree = self._hierarchy
        for mount in tree.mounts() if tree else ():
            if tree and tree.unified:
                for controller in ("+cpu", "+io", "+memory", "+pids"):
                    kernel_file.write(mount / "cgroup.subtree_control", controller)
            try:
                (mount / self._groups[-1]).mkdir(exist_ok=True)
            except OSError as error:
                log.debug("cannot create the parent cgroup: %s", error)

    def _lower_io(self) -> None:
        """Put the parent's I/O into the idle class too, where the kernel has that."""
        if self._hierarchy and self._hierarchy.blkio:
            kind = "io" if self._hierarchy.unified else "blkio"
            place = self._hierarchy.blkio / self._groups[-1]
            kernel_file.ensure(place / f"{kind}.prio.class", "idle")

    def _note(self) -> str:
        if self.protection in _NOTES:
            return _NOTES[self.protection]
        if self._hierarchy is None:
            return self.note
        cpu = self._hierarchy.cpu
        if self._systemd and cpu and not (cpu / self._groups[-1]).exists():
            return f"it is known with the first pilot, when systemd makes {self._groups[-1]}"
        if self._systemd:
            return (
                "install contrib/plancton.slice as root (it takes effect with the first pilot), "
                "or run as root"
            )
        place = (cpu or Path("/sys/fs/cgroup")) / self._groups[-1]
        return f"run as root, or have root create {place} and write 1 to its cpu.idle"

    def own_seconds(self) -> float | None:
        """Return the CPU time of all pilots ever; it never falls, even if the cgroup is new."""
        used = self._cpu_seconds(self._groups[-1]) if self._groups else None
        if used is None:
            # No pilot yet under a slice that systemd makes on demand: nothing was used.
            return self._earlier_seconds + self._last_reading if self._may_appear() else None
        if used < self._last_reading:
            self._earlier_seconds += self._last_reading
        self._last_reading = used
        return self._earlier_seconds + used

    def own_memory(self) -> int | None:
        """Return the anonymous memory of all pilots, None where it cannot be read."""
        tree = self._hierarchy
        if tree is None or tree.memory is None or not self._groups:
            return None
        name = "anon" if tree.unified else "total_rss"
        text = kernel_file.read(tree.memory / self._groups[-1] / "memory.stat")
        lines = (line.split() for line in (text or "").splitlines())
        return next((int(value) for key, value in lines if key == name), 0)

    def _may_appear(self) -> bool:
        tree = self._hierarchy
        return bool(self._systemd and tree and tree.cpuacct and tree.cpuacct.exists())

    def pilot_seconds(self, id_: str) -> float | None:
        """Return the CPU time of one pilot, None where it cannot be read."""
        return self._cpu_seconds(self._pilot_group(id_)) if self._groups else None

    @property
    def unified(self) -> bool:
        """Whether this is cgroup v2."""
        return self._hierarchy is not None and self._hierarchy.unified

    def siblings(self) -> tuple[Path, ...]:
        """Return the cgroups beside it at the root of the tree, without those of any pilots.

        None where it does not lie at the root itself.
        """
        root = self.controller("cpu")
        if root is None or self._below:
            return ()
        try:
            with os.scandir(root) as entries:
                names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
        except OSError:
            return ()
        return tuple(root / name for name in names if not _holds_pilots(name))

    def holds(self, cgroups: str) -> bool:
        """Say whether a process, by its file ``cgroup`` of /proc, is in a parent of pilots."""
        for line in cgroups.splitlines():
            _, controllers, path = line.split(":", 2)
            if "cpu" in controllers.split(","):
                parts = [part for part in path.split("/") if part not in {"", ".."}]
                return bool(parts) and _holds_pilots(parts[0])
        return False

    def controller(self, name: str) -> Path | None:
        """Return where the tree of a controller is mounted; None where it is not."""
        place: Path | None = getattr(self._hierarchy, name, None)
        return place

    def place(self, controller: str) -> Path | None:
        """Return the parent's folder in the tree of a controller; None where there is none."""
        mount = self.controller(controller)
        return mount / self._groups[-1] if mount and self._groups else None

    def pilot_place(self, controller: str, id_: str) -> Path | None:
        """Return one pilot's folder in the tree of a controller; None where there is none."""
        mount = self.controller(controller)
        return mount / self._pilot_group(id_) if mount and self._groups else None

    def memory_place(self, id_: str) -> str:
        """Return one pilot's folder in the tree of the memory controller; empty: there is none."""
        memory = self._hierarchy.memory if self._hierarchy else None
        return f"{memory}/{self._pilot_group(id_)}" if memory and self._groups else ""

    def _pilot_group(self, id_: str) -> str:
        return f"{self._groups[-1]}/{self._pilot_name.format(id_)}"

    def _cpu_seconds(self, path: str) -> float | None:
        if self._hierarchy is None or self._hierarchy.cpuacct is None:
            return None
        place = f"{self._hierarchy.cpuacct}/{path}"
        if not self._hierarchy.unified:
            nanoseconds = kernel_file.read(f"{place}/cpuacct.usage")
            return None if nanoseconds is None else int(nanoseconds) / 1e9
        for line in (kernel_file.read(f"{place}/cpu.stat") or "").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return None


def _pilot_name(info: Mapping[str, Any]) -> str:
    """Return how the engine calls the cgroup of a container, with {} for its ID."""
    podman = "BuildahVersion" in info  # no other engine tells of that
    if info.get("CgroupDriver") == "systemd":
        return "libpod-{}.scope" if podman else "docker-{}.scope"
    return "libpod-{}" if podman else "{}"


def _holds_pilots(name: str) -> bool:
    """Say whether a cgroup at the root is the parent of an instance's pilots, ours or not."""
    return name in {"plancton", "plancton.slice"} or name.startswith("plancton-")
