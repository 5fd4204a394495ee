"""The words of the engine as frozen values. Times are seconds, CPU is cores, memory is bytes.

``now`` and every ``*_at`` are seconds of the machine's boot clock (CLOCK_BOOTTIME), which
steps of the wall clock, time zones and DST do not touch; ``*_wall`` are seconds of the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

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
    memory: int = 0
    """Bytes promised to it."""
    image_id: str = ""
    """ID of the image it was made from."""
    checkpoint_at: float | None = None
    """When it last said that it saved its work."""

    @property
    def live(self) -> bool:
        """Whether it holds, or may soon hold, cores: not yet exited."""
        return self.state in (PilotState.CREATED, PilotState.RUNNING, PilotState.PAUSED)

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
    """Over about one second."""


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
    canary: bool = False
    canary_life: float = 600.0


class Failing(StrEnum):
    """Why a profile waits."""

    FAILED = "failed"
    NO_WORK = "no work"
    BROKEN = "broken node"
    OUTDATED = "outdated image"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures in a row of one profile, and until when it waits."""

    failures: int
    until: float
    last_failure: float
    why: str = ""
    kind: Failing = Failing.FAILED
    proof: float = 0.0
    """How long the one pilot that tries must live, to end the back-off."""
    image_id: str = ""
    """The image found outdated; another one ends the wait."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A pilot that was sent SIGTERM: why, and when SIGKILL follows."""

    reason: Reason
    kill_at: float


@dataclass(frozen=True, slots=True)
class Frozen:
    """A pilot that is frozen: why, and since when."""

    reason: Reason
    since: float


class Step(IntEnum):
    """What a signal asks for; each includes those before."""

    STOP = 1
    """Start no pilots."""
    FREEZE = 2
    EVICT = 3


@dataclass(frozen=True, slots=True)
class Alarm:
    """A signal beyond one of its thresholds, now."""

    signal: str
    step: Step
    reason: Reason
    after: float = 0.0
    """Seconds it must last before anything is done."""
    recover: float = 0.0
    """Seconds it must be over before that is undone."""
    all_at_once: bool = True
    """Whether it concerns all pilots, or one more each time it lasts anew."""


@dataclass(frozen=True, slots=True)
class Watch:
    """An alarm in time."""

    alarm: Alarm
    since: float
    last: float
    """When it was last beyond its threshold."""
    active: bool
    """Whether it has lasted long enough, and has not been over for long enough since."""
    met: bool = True
    """Whether it is beyond its threshold now."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is known of the images behind one reference. IDs; empty: none."""

    good: str = ""
    """The last one that a pilot lived on."""
    trial: str = ""
    """A new one that one pilot tries."""
    bad: str = ""
    """A new one that failed its trial."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What the engine carries from tick to tick. Losing it costs time, never a pilot."""

    samples: tuple[HostSample, ...] = ()
    watches: Mapping[str, Watch] = field(default_factory=dict)
    """Alarms by signal and step."""
    overcommitted_since: float | None = None
    room_since: float | None = None
    """Since when there is room for a frozen pilot."""
    frozen: Mapping[str, Frozen] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)
    """Core-seconds promised to each profile of late; they fade within about an hour."""
    used_at: float | None = None
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    """By image reference; only with canaries."""
    kept: Mapping[str, float] = field(default_factory=dict)
    """Since when free cores are kept for a large profile."""
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
    image_id: str = ""
    """The very image to use; empty: what the profile's reference means now."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop a pilot where it is."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Thaw:
    """Let a frozen pilot go on."""

    pilot: Pilot
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


Action = Spawn | Freeze | Thaw | Terminate | Kill | Remove


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. An empty error means it was done."""

    action: Action
    error: str = ""
    detail: str = ""
    """Name of the started container, or the last log lines of the removed one."""
    image_missing: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, why nothing more is done, and the state that follows."""

    actions: tuple[Action, ...]
    findings: tuple[Reason, ...]
    state: State
    finished: bool = False
    """The mode asked the engine to end, and no pilot is left."""
    refresh: frozenset[str] = frozenset()
    """Images that a pilot found outdated: to be pulled now."""
    wake_at: float | None = None
    """When the next known thing falls due: a TTL, a grace, a back-off, an eviction."""
