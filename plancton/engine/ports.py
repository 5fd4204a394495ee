"""What the engine needs of the world, as small interfaces with real and simulated makers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from plancton.config import schema
from plancton.config.effective import ConfigState
from plancton.config.schema import Profile
from plancton.engine.model.action import Outcome, Prepare, Spawn
from plancton.engine.model.bounds import Bounds
from plancton.engine.model.node import HostSample, ImageStatus, Limit
from plancton.engine.model.objective import Reading
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.model.spare import Spare
from plancton.engine.records.persistent_state import PersistentState
from plancton.engine.views.snapshot import DecisionRecord, EndedPilot, SinkState, Snapshot


class RuntimeUnavailableError(Exception):
    """The container engine gives no usable answer: it is away, refuses or stalls.

    Says why and what to do. Nothing may be concluded about pilots.
    """


class ActionError(Exception):
    """The container engine answered, and refused one action. Says why."""


class ImageMissingError(ActionError):
    """A pilot could not be created because its image is not on the node."""


class NotBoundError(ActionError):
    """A pilot could not be started because of the CPUs that it was to be bound to."""


class StartingRuntime(Protocol):
    """The container engine, to start pilots. One object belongs to one thread."""

    @property
    def requests(self) -> int:
        """Requests made so far."""

    def start(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
        name: str = "",
    ) -> Pilot:
        """Create and start one pilot, of the very image *image_id* if given; returns it.

        A spare that is just as the pilot would be made may become the pilot.
        With *cpus* it is bound to them. *held_to* are the cores of its quota, infinite: it has
        none; None: those promised. Without a *name* it gets one. Raises ImageMissingError,
        NotBoundError, ActionError (nothing is left behind, unless the engine hangs on the
        container), or RuntimeUnavailableError (a container may exist; the next ``pilots`` tells).
        """

    def prepare(self, profile: Profile, image_id: str = "", name: str = "") -> None:
        """Make a spare of a profile, for a pilot of this *name* if given.

        Raises as ``start`` does; nothing is left behind then.
        """

    def close(self) -> None:
        """Drop the connection."""


class Runtime(StartingRuntime, Protocol):
    """The container engine. One object belongs to one thread."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Containers that carry our label and are no pilots of ours, each with why."""

    @property
    def unenforced(self) -> frozenset[Limit]:
        """Limits of pilots that have no effect here."""

    @property
    def complaints(self) -> tuple[str, ...]:
        """What the engine said against how the last pilot was to be made, though it made it."""

    @property
    def spares(self) -> tuple[Spare, ...]:
        """Spares of this instance, as of the last ``pilots``, which leaves them out."""

    def pilots(self, doubted: frozenset[str] = frozenset()) -> tuple[Pilot, ...]:
        """Return all containers of this instance, in any state, oldest first.

        *doubted* are IDs of which an end was reported: they are looked at closely, for a
        listing may lag behind the report.
        Raises RuntimeUnavailableError; never returns a partial list.
        """

    def start_in_spare(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
    ) -> Pilot | None:
        """Have a spare become a pilot, if there is one that is just as the pilot would be made.

        That takes hardly longer than to freeze one. Otherwise as ``start``; None: there is none.
        """

    def discard(self, spare: Spare) -> None:
        """Remove a spare. Gone is fine."""

    def bind(self, pilot: Pilot, cpus: tuple[int, ...]) -> None:
        """Let a pilot use these CPUs only. Gone, or ended, is fine."""

    def hold(self, pilot: Pilot, cores: float) -> None:
        """Let a pilot use so many cores, infinite: all. Gone, or ended, is fine."""

    def freeze(self, pilot: Pilot) -> None:
        """Stop a pilot where it is. Gone, or frozen already, is fine."""

    def thaw(self, pilot: Pilot) -> None:
        """Let a frozen pilot go on. Gone, or running already, is fine."""

    def terminate(self, pilot: Pilot) -> None:
        """Send SIGTERM, thawing a paused pilot so that it can act on it. Gone is fine."""

    def kill(self, pilot: Pilot) -> None:
        """Send SIGKILL. Gone is fine."""

    def remove(self, pilot: Pilot) -> str:
        """Remove an exited or never-started pilot; returns the last lines of its log."""


class Starter(Protocol):
    """Starts pilots and makes spares, beside the engine's thread or at once.

    It belongs to the engine's thread.
    """

    @property
    def requests(self) -> int:
        """Requests made so far, those of the engine's own runtime left out."""

    def submit(self, action: Spawn | Prepare) -> str | Outcome:
        """Begin a start; returns the name that the pilot will have, or what came of it at once.

        RuntimeUnavailableError, where it is done at once.
        """

    def take_ended(self) -> Mapping[str, Outcome | Exception]:
        """Return what came of starts since the last call, by the pilots' names.

        An exception is what a start raised, such as RuntimeUnavailableError.
        """

    def join(self, seconds: float) -> None:
        """Wait until no start is under way, at most so long."""


class Host(Protocol):
    """The node itself."""

    def sample(self, now: float) -> HostSample:
        """Read counters and levels; re-asserts the idle class where that was lost."""

    def enforce(self, bounds: Bounds) -> None:
        """Hold all pilots together to *bounds*, as far as there is the right to."""

    def reclaim(self, pilots: tuple[str, ...]) -> None:
        """Have the memory of these frozen pilots moved to swap, on another thread.

        They take the place of those named before; what is under way stops within a second.
        """

    @property
    def protection_note(self) -> str:
        """How to get the full protection; empty if it is there."""


class Images(Protocol):
    """Keeps images fresh, on a thread of its own."""

    def configure(
        self, references: frozenset[str], refresh: float, *, pull: bool, keep: int | None
    ) -> None:
        """Say which images are needed and how often (seconds) they are refreshed.

        *keep* superseded ones of each reference stay on the node; None: all.
        """

    def pin(self, ids: frozenset[str]) -> None:
        """Say which images starts may ask for by their ID: they stay on the node."""

    def take_removed(self) -> tuple[RemovedImage, ...]:
        """Return the images that were removed since the last call."""

    def missing(self, reference: str) -> None:
        """Say that an image has gone from the node."""

    def refresh(self, reference: str) -> None:
        """Have an image pulled now: a pilot says that it is outdated."""

    def status(self) -> Mapping[str, ImageStatus]:
        """Return what is known now, by reference; references never seen yet are absent."""


class Figures(Protocol):
    """Reads figures from outside, on threads of its own."""

    def watch(self, figures: Iterable[schema.Figure]) -> None:
        """Say which figures are wanted from now on."""

    def readings(self) -> Mapping[str, Reading]:
        """Return what is known of each, by name."""


class NoFigures:
    """Implements ``Figures`` where nothing is read."""

    def watch(self, figures: Iterable[schema.Figure]) -> None:
        """Read nothing."""

    def readings(self) -> Mapping[str, Reading]:
        """Return nothing."""
        return {}


class ConfigSource(Protocol):
    """Where the configuration comes from."""

    def current(self, *, reload: bool = False) -> ConfigState:
        """Return the one in force, reading it again if it changed (or if *reload*)."""

    def confirm(self) -> ConfigState:
        """Say that a whole tick went well under the one in force, which is returned: it is good."""

    def reject(self, why: str) -> None:
        """Say that a tick failed under the one in force, and why.

        One that was never confirmed makes way for the last good one, if there is one.
        """


class ModeStore(Protocol):
    """The operator's standing word, kept where it survives restarts."""

    def mode(self) -> Mode:
        """Return what is asked now."""

    def fulfilled(self, mode: Mode) -> None:
        """Forget a request to stop that was carried out."""


class StateStore(Protocol):
    """Keeps what outlives the engine."""

    def load(self) -> PersistentState:
        """Return what was saved last; an empty one if that cannot be read."""

    def save(self, memory: PersistentState) -> None:
        """Save it; a failure is logged, never raised."""


class Monitor(Protocol):
    """Sends metrics, on threads of its own."""

    def configure(self, monitor: schema.Monitor) -> None:
        """Say where they go from now on."""

    def publish(self, record: Snapshot | EndedPilot | DecisionRecord) -> None:
        """Take what there is to tell. Never blocks for long."""

    def status(self) -> tuple[SinkState, ...]:
        """Return how it stands with each target."""


class NoMonitor:
    """Implements ``Monitor`` where nobody wants metrics."""

    def configure(self, monitor: schema.Monitor) -> None:
        """Send nothing."""

    def publish(self, record: Snapshot | EndedPilot | DecisionRecord) -> None:
        """Forget it."""

    def status(self) -> tuple[SinkState, ...]:
        """Return nothing."""
        return ()


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Seconds of the boot clock."""

    def wall(self) -> float:
        """Seconds of the epoch."""

    def day(self) -> str:
        """Return today's date by the node's own clock: ``2026-11-24``."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All that the engine touches."""

    runtime: Runtime
    host: Host
    images: Images
    config: ConfigSource
    mode_store: ModeStore
    clock: Clock
    state_store: StateStore
    monitor: Monitor = field(default_factory=NoMonitor)
    figures: Figures = field(default_factory=NoFigures)
    starter: Starter | None = None
    """None: the engine's thread starts pilots itself, one after the other."""
