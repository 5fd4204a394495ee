"""The words of the engine as frozen values. Times are seconds, CPU is cores, memory is bytes.

``now`` and every ``*_at`` are seconds of the machine's boot clock (CLOCK_BOOTTIME), which
steps of the wall clock, time zones and DST do not touch; ``*_wall`` are seconds of the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from plancton.config import schema
from plancton.engine.reasons import Reason


class PilotState(StrEnum):
    """What Docker says of a container, reduced to what matters here."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    DEAD = "dead"
    REMOVING = "removing"


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

    @property
    def live(self) -> bool:
        """Whether it holds, or may soon hold, cores: not yet exited."""
        return self.state in (PilotState.CREATED, PilotState.RUNNING, PilotState.PAUSED)

    @property
    def lifetime(self) -> float | None:
        """Seconds it ran, if it ran and ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, self.finished_at - self.started_at)


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
    """None until two samples exist."""
    images: Mapping[str, ImageStatus]
    mode: Mode = Mode.ACTIVE


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration asks for, with the maximum evaluated on this node."""

    profiles: tuple[schema.Profile, ...]
    spawn: schema.Spawn
    protect: schema.Protect
    maximum: int


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures in a row of one profile, and until when it waits."""

    failures: int
    until: float
    last_failure: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """A pilot that was sent SIGTERM: why, and when SIGKILL follows."""

    reason: Reason
    kill_at: float


@dataclass(frozen=True, slots=True)
class State:
    """What the engine carries from tick to tick. Losing it costs time, never a pilot."""

    samples: tuple[HostSample, ...] = ()
    pressure_since: float | None = None
    hold_until: float = 0.0
    """Nothing is started before this; armed by evictions only."""
    endings: Mapping[str, Ending] = field(default_factory=dict)
    backoffs: Mapping[str, Backoff] = field(default_factory=dict)
    handled: frozenset[str] = frozenset()
    """Exited pilots whose end was already counted, while their removal is under way."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create and start one pilot of a profile."""

    profile: schema.Profile
    reason: Reason


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM; SIGKILL follows after the pilot's grace."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Remove:
    """Keep exit code, OOM flag and last log lines in the record, then remove the container."""

    pilot: Pilot
    reason: Reason


Action = Spawn | Terminate | Kill | Remove


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. An empty error means it was done."""

    action: Action
    error: str = ""
    detail: str = ""
    """Name of the started container, or the last log lines of the removed one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, why nothing more is done, and the state that follows."""

    actions: tuple[Action, ...]
    findings: tuple[Reason, ...]
    state: State
    finished: bool = False
    """The mode asked the engine to end, and no pilot is left."""
    wake_at: float | None = None
    """When the next known thing falls due: a TTL, a grace, a back-off, an eviction."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The engine's record of a pilot that is gone."""

    id: str
    name: str
    profile: str
    exit_code: int | None
    oom_killed: bool
    lifetime: float | None
    reason: str
    log: str
    """Its last lines."""
    ended_wall: float


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the engine's diary."""

    wall: float
    text: str


@dataclass(frozen=True, slots=True)
class PilotView:
    """A pilot as people see it."""

    id: str
    name: str
    profile: str
    state: str
    age: float
    """Seconds since its start, or since its creation if it has not started."""
    ttl_left: float | None
    cpus: float
    cpu: float | None
    """Cores used since the last tick."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the engine, as every view shows it."""

    node: str
    instance: str
    version: str
    pid: int
    started_wall: float
    wall: float
    tick: int
    mode: Mode
    degraded: str
    """Why the node cannot be observed; empty when it can."""
    protection: Protection
    protection_note: str
    """How to get the full protection; empty if it is there."""
    load: CpuLoad | None
    host: HostSample | None
    maximum: int
    committed: float
    room: float | None
    pilots: tuple[PilotView, ...]
    findings: tuple[str, ...]
    warnings: tuple[str, ...]
    """Things the administrator should mend: config, image, disk."""
    events: tuple[Event, ...]
    ended: tuple[Ended, ...]
    config_source: str
    config_error: str
    config_revision: int
    images: Mapping[str, ImageStatus]
    requests: int
    """Requests to Docker by the engine since its start."""
    spawned: int
    evicted: int
    interval: float
