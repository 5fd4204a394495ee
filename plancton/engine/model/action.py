"""What the engine decides: actions with their reasons, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from plancton.config import schema
from plancton.engine.model.bounds import Bounds
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.placement import Placement
from plancton.engine.model.quotas import Quotas
from plancton.engine.model.reason import Reason
from plancton.engine.model.spare import Spare
from plancton.engine.model.state import State


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create and start one pilot of a profile."""

    profile: schema.Profile
    reason: Reason
    image_id: str = ""
    """The very image to use; empty: what the profile's reference means now."""
    cpus: tuple[int, ...] = ()
    """CPUs that it is bound to; none: it may use all."""
    held_to: float | None = None
    """Cores that its quota lets it use, infinite: it has none; None: those promised."""
    did: ClassVar[str] = "started"
    urgency: ClassVar[int] = 4

    @property
    def subject(self) -> str:
        """The profile, for the pilot has no name yet."""
        return self.profile.name


@dataclass(frozen=True, slots=True)
class Starting:
    """A start under way: nothing has come of it yet, though its container may be there."""

    name: str
    """That the pilot will have."""
    action: Spawn
    since: float

    @property
    def profile(self) -> schema.Profile:
        """Its profile."""
        return self.action.profile

    @property
    def pilot(self) -> Pilot:
        """The pilot, for people: it has no ID yet, so that is its name."""
        profile = self.profile
        return Pilot(
            id=self.name,
            name=self.name,
            profile=profile.name,
            state=PilotState.CREATED,
            cpus=profile.cpus,
            created_at=self.since,
            grace=profile.grace,
            memory=profile.memory,
            image_id=self.action.image_id,
            disk=profile.disk,
            bound_to=self.action.cpus,
        )


@dataclass(frozen=True, slots=True)
class PilotAction:
    """Something done to a pilot that is there."""

    pilot: Pilot
    reason: Reason
    did: ClassVar[str]
    """What was done, once it was."""
    urgency: ClassVar[int]
    """Its place in a tick: first what frees the machine, then starts, then tidying."""

    @property
    def subject(self) -> str:
        """What people call the pilot."""
        return self.pilot.label


@dataclass(frozen=True, slots=True)
class Freeze(PilotAction):
    """Stop a pilot where it is."""

    did: ClassVar[str] = "frozen"
    urgency: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Kill(PilotAction):
    """Send SIGKILL."""

    did: ClassVar[str] = "killed (SIGKILL)"
    urgency: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Terminate(PilotAction):
    """Send SIGTERM; SIGKILL follows after the pilot's grace period."""

    did: ClassVar[str] = "asked to end (SIGTERM)"
    urgency: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Thaw(PilotAction):
    """Let a frozen pilot go on."""

    did: ClassVar[str] = "thawed"
    urgency: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class Remove(PilotAction):
    """Keep exit code, OOM flag and last log lines in the record, then remove the container."""

    did: ClassVar[str] = "removed"
    urgency: ClassVar[int] = 5


@dataclass(frozen=True, slots=True)
class Discard:
    """Remove a spare that no pilot will start in."""

    spare: Spare
    reason: Reason
    did: ClassVar[str] = "spare removed"
    urgency: ClassVar[int] = 6

    @property
    def subject(self) -> str:
        """The profile that it was for."""
        return self.spare.profile


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make a spare of a profile."""

    profile: schema.Profile
    reason: Reason
    image_id: str = ""
    """As in ``Spawn``."""
    did: ClassVar[str] = "spare made"
    urgency: ClassVar[int] = 7

    @property
    def subject(self) -> str:
        """The profile."""
        return self.profile.name


Action = Spawn | PilotAction | Discard | Prepare


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. An empty error means it was done."""

    action: Action
    error: str = ""
    log: str = ""
    """The last log lines of a removed container."""
    image_missing: bool = False
    started: Pilot | None = None
    """The pilot that was started."""
    not_bound: str = ""
    """Why it could not be bound to its CPUs, and was started without them."""
    begun_at: float | None = None
    """When a start that was under way for a while began; None: what was done, was done at once."""

    @property
    def subject(self) -> str:
        """What people call the pilot, or the profile of one that could not be started."""
        return self.started.label if self.started else self.action.subject


@dataclass(frozen=True, slots=True)
class Due:
    """The next known thing to happen: a TTL, a grace period, a back-off, an eviction; and when."""

    at: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, why nothing more is done, and the state that follows."""

    actions: tuple[Action, ...]
    findings: tuple[Reason, ...]
    state: State
    committed: float = 0.0
    """Cores promised to pilots that run, once the actions are carried out."""
    overcommit: float = 1.0
    """How many times the free cores may be promised to pilots."""
    room: float | None = None
    """Cores free for one more pilot, negative when overcommitted; None while unmeasured."""
    finished: bool = False
    """The mode asked the engine to end, and no pilot is left."""
    refresh: frozenset[str] = frozenset()
    """Images that a pilot found outdated: to be pulled now."""
    due: Due | None = None
    bounds: Bounds = field(default_factory=Bounds)
    """What all pilots together may take."""
    reclaim: tuple[str, ...] = ()
    """IDs of the frozen pilots whose memory goes to swap now."""
    placement: Placement = field(default_factory=Placement)
    """Which CPUs pilots may use."""
    quotas: Quotas = field(default_factory=Quotas)
    """How many cores pilots may use."""
    spare_awaited: bool = False
    """A spare is to be made as soon as nothing else is to do."""
