"""What the engine carries from tick to tick. Times are seconds of the boot clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from plancton.engine.model.placement import BindFailure
from plancton.engine.model.pressure import TrackedAlarm
from plancton.engine.model.reason import Reason
from plancton.engine.model.spare import SpareFailure


class FailureKind(StrEnum):
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
    kind: FailureKind = FailureKind.FAILED
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
class FailedRemoval:
    """A container that could not be removed: how often in a row, and when it is tried again."""

    failures: int
    retry_at: float


@dataclass(frozen=True, slots=True)
class Frozen:
    """A pilot that is frozen: why, and since when."""

    reason: Reason
    since: float


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
class Overcommit:
    """How many times the free cores are promised to pilots, and by what that is adjusted."""

    factor: float = 1.0
    idle: float = 0.0
    """Part of what the foreground leaves that is idle, averaged."""
    promised: float = 0.0
    """Cores promised to running pilots, in parts of what the foreground leaves, averaged alike."""
    at: float | None = None
    """When that was averaged last."""
    changed_at: float | None = None
    """When the factor was adjusted last."""


@dataclass(frozen=True, slots=True)
class State:
    """What the engine carries from tick to tick. Losing it costs time, never a pilot."""

    tracked_alarms: Mapping[str, TrackedAlarm] = field(default_factory=dict)
    """Alarms by signal and step."""
    overcommitted_since: float | None = None
    room_since: float | None = None
    """Since when there is room for a frozen pilot."""
    thaw_hold_until: float = 0.0
    """No pilot that was frozen for an owner's objective goes on before this."""
    frozen: Mapping[str, Frozen] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)
    """Core-seconds promised to each profile of late; they fade within about an hour."""
    used_at: float | None = None
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    """By image reference; only with canaries."""
    kept_free_since: Mapping[str, float] = field(default_factory=dict)
    """Since when free cores are kept for a large profile."""
    hold_until: float = 0.0
    """Nothing is started before this; armed by evictions only."""
    endings: Mapping[str, Ending] = field(default_factory=dict)
    failed_removals: Mapping[str, FailedRemoval] = field(default_factory=dict)
    backoffs: Mapping[str, Backoff] = field(default_factory=dict)
    counted_exits: frozenset[str] = frozenset()
    """Exited pilots whose end was already counted, while their removal is under way."""
    uncovered_since: float | None = None
    """Since when a core has no pilot, though pilots are bound to the others."""
    bind_failure: BindFailure | None = None
    quota_failure: BindFailure | None = None
    left_idle_since: float | None = None
    """Since when pilots on cores of their own leave some idle that others may use."""
    roam_until: float = 0.0
    """Until when pilots roam for that."""
    spare_failures: Mapping[str, SpareFailure] = field(default_factory=dict)
    """By profile."""
    overcommit: Overcommit = field(default_factory=Overcommit)

    def put_off(self, seconds: float) -> State:
        """Return the state after a suspend: in it no pressure lasted, and no pilot could end."""
        if not seconds:
            return self
        return replace(
            self,
            tracked_alarms={
                key: replace(each, since=each.since + seconds, last=each.last + seconds)
                for key, each in self.tracked_alarms.items()
            },
            overcommitted_since=_later(self.overcommitted_since, seconds),
            room_since=_later(self.room_since, seconds),
            uncovered_since=_later(self.uncovered_since, seconds),
            left_idle_since=_later(self.left_idle_since, seconds),
            thaw_hold_until=self.thaw_hold_until + seconds,
            frozen={i: replace(f, since=f.since + seconds) for i, f in self.frozen.items()},
            endings={
                i: replace(ending, kill_at=ending.kill_at + seconds)
                for i, ending in self.endings.items()
            },
        )


def _later(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds
