"""The words of the engine as frozen values. Times are seconds, CPU is cores, memory is bytes.

``now`` and every ``*_at`` are seconds of the machine's boot clock (CLOCK_BOOTTIME), which
steps of the wall clock, time zones and DST do not touch; ``*_wall`` are seconds of the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from plancton.config import schema


class PilotState(StrEnum):
    """What Docker says of a container, reduced to what matters here."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    DEAD = "dead"
    REMOVING = "removing"


_LIVE = (PilotState.RUNNING, PilotState.CREATED, PilotState.PAUSED)


class Mode(StrEnum):
    """What the operator wants of the node; the later of several wins."""

    ACTIVE = "active"
    DRAINING = "draining"
    """No new pilots."""
    STOPPING = "stopping"
    """No new pilots, and the engine ends when the last one has gone."""
    ENDING = "ending"
    """As stopping, and pilots are asked to go now: SIGTERM, and SIGKILL after the grace."""
    FORCED = "forced"
    """As stopping, and pilots are killed now."""


class Wish(StrEnum):
    """What the operator wants of one pilot."""

    KILL = "kill"
    FREEZE = "freeze"
    """Stay frozen until thawed by the operator, or until its time to live is over."""
    THAW = "thaw"


class Protection(StrEnum):
    """How well the foreground is protected from pilots, verified on the parent cgroup."""

    IDLE = "idle class"
    """The parent of all pilots is in the kernel's idle class."""
    LOW_WEIGHT = "low weight"
    """The parent has the lowest CPU weight: a kernel without cpu.idle."""
    WEIGHT_ONLY = "weight only"
    """Only the single pilots have a low weight; together they may still slow the owner."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """One container of ours, as Docker shows it now."""

    id: str
    name: str
    """May be empty: dead and half-removed containers lose theirs."""
    profile: str
    state: PilotState
    cpus: float
    """Cores promised to it."""
    created_at: float
    started_at: float | None = None
    """From Docker's StartedAt; None before the start."""
    deadline_at: float | None = None
    """End of its time to live; None if it has none of ours."""
    finished_at: float | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    """Docker's own word for why it did not start."""
    cpu_seconds: float | None = None
    """CPU time used so far; None where it cannot be read."""
    grace: float = 10.0
    """Seconds between its SIGTERM and SIGKILL."""
    memory: int = 0
    """Bytes promised to it."""
    image_id: str = ""
    """ID of the image it was made from."""
    checkpoint_at: float | None = None
    """When it last said that it saved its work."""
    memory_used: int | None = None
    """Bytes it uses, file cache included; None where that cannot be read."""

    @property
    def live(self) -> bool:
        """Whether it holds, or may soon hold, cores: not yet exited."""
        return self.state in _LIVE

    @property
    def frozen(self) -> bool:
        """Whether it is stopped where it is, using no CPU."""
        return self.state is PilotState.PAUSED

    def lost(self, now: float) -> float:
        """Core-seconds of work that would be lost if it ended now.

        What it used since its start, or the part that lies after its last checkpoint.
        """
        started = self.created_at if self.started_at is None else self.started_at
        age = max(0.0, now - started)
        used = self.cpus * age if self.cpu_seconds is None else self.cpu_seconds
        if self.checkpoint_at is None or not age:
            return used
        return used * min(1.0, max(0.0, now - self.checkpoint_at) / age)

    @property
    def lifetime(self) -> float | None:
        """Seconds it ran, if it ran and ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, self.finished_at - self.started_at)


@dataclass(frozen=True, slots=True)
class Stalled:
    """Pressure stall information of one resource (the kernel's "some" line)."""

    percent: float
    """Share of the last 10 s in which some task waited, per cent."""
    seconds: float
    """Such time since boot."""


@dataclass(frozen=True, slots=True)
class HostSample:
    """Counters and levels of the node at one moment."""

    at: float
    ncpus: int
    busy_seconds: float
    """CPU time of everything since boot; idle and iowait are not in it."""
    own_seconds: float | None
    """CPU time of all pilots ever, from the parent cgroup; None where it cannot be read."""
    memory_total: int = 0
    memory_available: int = 0
    swap_total: int = 0
    load1: float = 0.0
    disk_free: int = 0
    """Free bytes on the file system of Docker's data root."""
    protection: Protection = Protection.WEIGHT_ONLY
    own_memory: int | None = None
    """Anonymous memory of all pilots; None where it cannot be read."""
    disk_total: int = 0
    stalled: Mapping[str, Stalled] = field(default_factory=dict)
    """By resource: cpu, memory, io. Empty where the kernel has no such measure."""
    users: int = 0
    """Sessions logged in."""
    user_idle: float | None = None
    """Seconds since the last key stroke on a terminal; 0 where it cannot be known."""
    on_battery: bool | None = None
    """None: there is no battery."""
    minute_of_week: int = 0
    """By the node's own clock; Monday 0:00 is 0."""


@dataclass(frozen=True, slots=True)
class CpuLoad:
    """Cores used over the last ``span`` seconds: foreground + own + idle = ncpus."""

    ncpus: int
    foreground: float
    own: float
    idle: float
    span: float


@dataclass(frozen=True, slots=True)
class ImageStatus:
    """What is known of one image reference on this node."""

    id: str | None = None
    """ID of the usable local image; None: there is none."""
    error: str = ""
    """Why the last pull failed; empty if it did not."""
    pulling: bool = False
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """All that one tick knows of the node, taken from Docker and the kernel."""

    pilots: tuple[Pilot, ...]
    host: HostSample
    load: CpuLoad | None
    """Over some seconds; None until two samples exist."""
    images: Mapping[str, ImageStatus]
    mode: Mode = Mode.ACTIVE
    recent: CpuLoad | None = None
    """Over about half a second."""
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    """The operator's, by ID of the pilot."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration asks for, with the maximum evaluated on this node."""

    profiles: tuple[schema.Profile, ...]
    spawn: schema.Spawn
    protect: schema.Protect
    maximum: int
    when: bool = True
    """Whether spawn.when holds."""
    when_text: str = ""
    maxima: Mapping[str, int] = field(default_factory=dict)
    """Most pilots of a profile, where it has a maximum of its own."""
    load_limit: float | None = None
    """Load average above which nothing is started."""
    drain: bool = False
    """Start nothing, whatever the operator says."""
    canary: bool = False
    canary_life: float = 600.0
