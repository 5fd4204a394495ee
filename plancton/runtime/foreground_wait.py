"""How long the foreground's tasks waited for a core, by what the kernel offers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plancton.engine.model.node import Stalled
from plancton.runtime.cgroup import ParentCgroup, kernel_file
from plancton.runtime.run_delay import RunDelay
from plancton.runtime.sibling_pressure import SiblingPressure

_NODES_PROCESSES = "pid:[4026531836]"
"""The kernel's name of the PID namespace that sees all processes of the node."""


@dataclass(frozen=True, slots=True)
class Waited:
    """What the foreground waited for a core since the first look."""

    seconds: float | None = None
    """None: it cannot be read."""
    missing: str = ""
    """Why not, and what to do; empty: it can."""
    pressure: Stalled | None = None
    """The CPU pressure of the foreground alone; None where the kernel has only the node's."""


class ForegroundWait:
    """Reads what everything beside the pilots waited: the owner, Docker, and Plancton itself."""

    def __init__(self, parent: ParentCgroup, proc: Path = Path("/proc")) -> None:
        """Tell pilots from the rest by their *parent* cgroup."""
        self._parent, self._proc = parent, proc
        self._siblings = SiblingPressure()
        self._delay = RunDelay(lambda cgroups: not parent.holds(cgroups), proc)

    def read(self) -> Waited:
        """Return what was waited since the first look. The cost is bounded."""
        if self._parent.controller("cpu") is None:
            return Waited(missing="the pilots' cgroup is not known")
        if self._parent.unified:
            pressure = self._siblings.read(self._parent.siblings())
            if pressure is None:
                return Waited(missing="the kernel keeps no cpu.pressure: boot it with psi=1")
            return Waited(pressure.seconds, pressure=pressure)
        missing = self._why_no_run_delay()
        return Waited(missing=missing) if missing else Waited(self._delay.seconds())

    def _why_no_run_delay(self) -> str:
        try:
            namespace = str((self._proc / "self/ns/pid").readlink())
        except OSError:
            namespace = ""
        if namespace != _NODES_PROCESSES:
            return "Plancton sees only its container's processes: run it with pid: host"
        own = kernel_file.read(self._proc / "self/schedstat")
        if own is None or own.startswith("0 "):
            return "the kernel keeps no run delay (CONFIG_SCHEDSTATS)"
        if kernel_file.read(self._proc / "1/schedstat") is None:
            return "Plancton may not see the processes of others (hidepid)"
        return ""
