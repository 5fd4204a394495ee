"""What one tick observes of the node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from plancton.engine.model.objective import Reading
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare

if TYPE_CHECKING:
    from plancton.engine.model.action import Starting  # apart: the views start quickly


class Protection(StrEnum):
    """How well the foreground is protected from pilots, verified on the parent cgroup."""

    IDLE = "idle class"
    """The parent of all pilots is in the kernel's idle class."""
    LOW_WEIGHT = "low weight"
    """The parent has the lowest CPU weight: a kernel without cpu.idle."""
    USERS_IDLE = "idle class of one user"
    """The parent is in the idle class among one user's own processes; others are not protected."""
    WEIGHT_ONLY = "weight only"
    """Only the single pilots have a low weight; together they may still slow the owner."""

    @property
    def incomplete(self) -> bool:
        """Whether pilots may take CPU time from somebody else on the node."""
        return self in (Protection.USERS_IDLE, Protection.WEIGHT_ONLY)


class Limit(StrEnum):
    """A limit of each pilot, by its key in the configuration."""

    CPUS = "cpus"
    MEMORY = "memory"
    SWAP = "swap"
    PIDS = "pids"


@dataclass(frozen=True, slots=True)
class Stalled:
    """Pressure stall information of one resource (the kernel's "some" line)."""

    percent: float
    """Share of the last 10 s in which some task waited, per cent."""
    seconds: float
    """Such time since boot, or since the first look."""
    foreground_only: bool = False
    """Whether the waiting of pilots is left out."""


_CLOCK_NOISE = 0.1
"""Seconds by which two readings of the time in suspend may differ without any."""


@dataclass(frozen=True, slots=True)
class NetworkShare:
    """How pilots are held back on the network, as it is and not as it was asked for."""

    total: int | None = None
    """Most bits per second of all pilots together, in each direction; None: no limit."""
    each: int | None = None
    """The same of each pilot."""
    marked: bool = False
    """Whether their packets are marked as lower effort."""
    covered: int = 0
    """Pilots for which that holds."""
    uncovered: Mapping[str, str] = field(default_factory=dict)
    """Names of the others, each with why."""
    error: str = ""
    """Why it is not as it was asked for; empty: it is."""


@dataclass(frozen=True, slots=True)
class HostSample:
    """Counters and levels of the node at one moment."""

    at: float
    ncpus: int
    busy_seconds: float
    """CPU time of everything since boot; idle and iowait are not in it."""
    own_seconds: float | None
    """CPU time of all pilots ever, from the parent cgroup; None where it cannot be read."""
    suspended_seconds: float = 0.0
    """Time in suspend since boot: the boot clock counts it, the CPU counters do not."""
    memory_total: int = 0
    memory_available: int = 0
    swap_total: int = 0
    swap_free: int = 0
    pids_total: int = 0
    """Most processes and threads that the kernel allows; 0: not known."""
    load1: float = 0.0
    disk_free: int = 0
    """Free bytes on the file system of Docker's data root."""
    protection: Protection = Protection.WEIGHT_ONLY
    own_memory: int | None = None
    """Anonymous memory of all pilots; None where it cannot be read."""
    disk_total: int = 0
    inodes_free: int = 0
    inodes_total: int = 0
    """0: the file system of Docker's data root has none to count."""
    stalled: Mapping[str, Stalled] = field(default_factory=dict)
    """By resource: cpu, memory, io. Empty where the kernel has no such measure."""
    waited_seconds: float | None = None
    """Seconds that tasks of the foreground waited for a core, since the first look; it never
    falls. None where it cannot be read."""
    waited_missing: str = ""
    """Why it cannot; empty: it can."""
    users: int = 0
    """Sessions logged in."""
    user_idle: float | None = None
    """Seconds since the last key stroke on a terminal; 0 where it cannot be known."""
    on_battery: bool | None = None
    """None: there is no battery."""
    minute_of_week: int = 0
    """By the node's own clock; Monday 0:00 is 0."""
    network: NetworkShare | None = None
    """None: pilots are not to be held back on the network."""
    cpu_domains: tuple[tuple[int, ...], ...] = ()
    """CPUs that pilots may use, those that share their last-level cache together."""

    def slept_before(self, later: HostSample) -> float:
        """Return the seconds that the machine was in suspend between this and a *later* sample."""
        slept = later.suspended_seconds - self.suspended_seconds
        return slept if slept > _CLOCK_NOISE else 0.0


@dataclass(frozen=True, slots=True)
class CpuLoad:
    """Cores used over the last ``span`` seconds: foreground + own + idle = ncpus."""

    ncpus: int
    foreground: float
    own: float
    idle: float
    span: float
    waited: float | None = None
    """Seconds that tasks of the foreground waited for a core, per second; None: not known."""


@dataclass(frozen=True, slots=True)
class ImageStatus:
    """What is known of one image reference on this node."""

    id: str | None = None
    """ID of the usable local image; None: there is none."""
    error: str = ""
    """Why the last pull failed; empty if it did not."""
    pulling: bool = False
    retry_at: float | None = None
    note: str = ""
    """What is odd about it, although it is there: another platform, credentials that failed."""


@dataclass(frozen=True, slots=True)
class Observation:
    """All that one tick knows of the node, taken from Docker and the kernel."""

    pilots: tuple[Pilot, ...]
    """Without what has been created for starts under way."""
    host: HostSample
    load: CpuLoad | None
    """Over some seconds; None until two samples exist."""
    images: Mapping[str, ImageStatus]
    mode: Mode = Mode.ACTIVE
    recent: CpuLoad | None = None
    """Over about half a second."""
    pilot_commands: Mapping[str, PilotCommand] = field(default_factory=dict)
    """The operator's, by ID of the pilot."""
    unenforced: frozenset[Limit] = frozenset()
    """Limits of pilots that this node's kernel, or its container engine, does not enforce."""
    objectives: Mapping[str, Reading] = field(default_factory=dict)
    """Readings of the figures of the owner's objectives, by name."""
    spares: tuple[Spare, ...] = ()
    """Containers that wait for their pilots' start; they are no pilots."""
    starting: tuple[Starting, ...] = ()
    """Starts under way, but for those of which the pilot has been seen to run."""
    preparing: frozenset[str] = frozenset()
    """Profiles of which a spare is being made."""

    @property
    def running(self) -> tuple[Pilot, ...]:
        """Pilots that may use CPU now: neither frozen nor on their way up or down."""
        return tuple(p for p in self.pilots if p.state is PilotState.RUNNING)
