"""A node that exists only in memory: containers, kernel counters and a clock that is stepped.

It keeps the same contract as the real adapters; the tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from plancton.config.schema import Profile
from plancton.engine.model import HostSample, ImageStatus, Pilot, PilotState, Protection
from plancton.engine.ports import ActionError, ImageMissingError, RuntimeUnavailableError


@dataclass(slots=True)
class Container:
    """One simulated container. Times are of the boot clock."""

    pilot: Pilot
    lifetime: float
    exit_code: int = 0
    ignores_term: bool = False
    log: str = ""


class SimulatedNode:
    """Implements ``Runtime``, ``Host``, ``Images`` and ``Clock`` of one node."""

    def __init__(self, ncpus: int = 4) -> None:
        """Start with an idle node, a usable image for everything, and no containers."""
        self.ncpus, self.foreground = ncpus, 0.0
        self.containers: dict[str, Container] = {}
        self.lifetime: Callable[[Profile], float] = lambda _: 60.0
        self.exit_code = 0
        self.ignores_term = False
        self.missing_images: set[str] = set()
        self.down = self.refuses = ""
        """Reasons why the engine is away, and why it refuses to start a container."""
        self.hangs_on_start = self.keeps_exited = False
        self.wall_step = 0.0
        self.started = 0
        self.ended: set[str] = set()
        """Ends not yet reported; ``take_ended`` is the event stream."""
        self.actions: list[str] = []
        self.own_readable = True
        self._now, self._busy, self._own, self._requests = 1000.0, 0.0, 0.0, 0

    # --- Clock --------------------------------------------------------------------------

    def now(self) -> float:
        """Return the boot clock."""
        return self._now

    def wall(self) -> float:
        """Return the wall clock, which tests may step."""
        return 1_700_000_000.0 + self._now + self.wall_step

    def take_ended(self) -> frozenset[str]:
        """Return the IDs of containers that ended since the last call."""
        ended, self.ended = frozenset(self.ended), set()
        return ended

    def advance(self, seconds: float, *, to_event: bool = False) -> None:
        """Let time pass, with *to_event* no further than to the end of a container.

        CPU is used, and containers end when their life is over.
        """
        end = self._now + seconds
        while self._now < end and not (to_event and self.ended):
            ends = (c.pilot.started_at or 0) + c.lifetime if (c := self._first_to_end()) else end
            until = min(end, max(self._now, ends))
            self._burn(until - self._now)
            self._now = until
            if c is not None and ends <= until:
                self._exit(c, c.exit_code)
            elif until >= end:
                return

    def _first_to_end(self) -> Container | None:
        running = [c for c in self.containers.values() if c.pilot.state is PilotState.RUNNING]
        return min(running, key=lambda c: (c.pilot.started_at or 0) + c.lifetime, default=None)

    def _burn(self, seconds: float) -> None:
        """Share the cores: the foreground first, pilots get what is left, up to their quota."""
        left = max(0.0, self.ncpus - self.foreground)
        running = [c for c in self.containers.values() if c.pilot.state is PilotState.RUNNING]
        for each in running:
            used = min(each.pilot.cpus, left / len(running)) * seconds
            self._own += used
            each.pilot = replace(each.pilot, cpu_seconds=(each.pilot.cpu_seconds or 0) + used)
            self._busy += used
        self._busy += min(self.foreground, self.ncpus) * seconds

    # --- Host ---------------------------------------------------------------------------

    protection_note = ""

    def sample(self, now: float) -> HostSample:
        """Read the simulated counters."""
        own = self._own if self.own_readable else None
        return HostSample(
            now, self.ncpus, self._busy, own, 8 * 2**30, 4 * 2**30, 0, 0.0, 10**10, Protection.IDLE
        )

    # --- Images -------------------------------------------------------------------------

    _wanted: frozenset[str] = frozenset()

    def want(self, references: frozenset[str], refresh: float, *, pull: bool) -> None:
        """Take note of the images."""
        self._wanted = references

    def missing(self, reference: str) -> None:
        """Take note that an image has gone."""
        self.missing_images.add(reference)

    def status(self) -> Mapping[str, ImageStatus]:
        """Return that every wanted image is here, but for the missing ones."""
        gone = ImageStatus(error="no such image in the registry", retry_at=self._now + 30)
        here = ImageStatus(id="sha256:simulated")
        return {name: gone if name in self.missing_images else here for name in self._wanted}

    # --- Runtime ------------------------------------------------------------------------

    @property
    def requests(self) -> int:
        """Requests made so far."""
        return self._requests

    def _asked(self) -> None:
        self._requests += 1
        if self.down:
            raise RuntimeUnavailableError(self.down)

    def pilots(self, doubted: frozenset[str] = frozenset()) -> tuple[Pilot, ...]:
        """Return all containers, oldest first."""
        self._asked()
        pilots = [container.pilot for container in self.containers.values()]
        return tuple(sorted(pilots, key=lambda pilot: (pilot.created_at, pilot.id)))

    def start(self, profile: Profile) -> str:
        """Create and start a container."""
        self._asked()
        if profile.image in self.missing_images:
            raise ImageMissingError(f"no image {profile.image} on the node")
        if self.refuses:
            raise ActionError(f"cannot start: {self.refuses}")
        self.started += 1
        id_ = f"{self.started:064x}"
        name = f"plancton-{profile.name}-{self.started:06d}"
        state = PilotState.CREATED if self.hangs_on_start else PilotState.RUNNING
        pilot = Pilot(
            id=id_,
            name=name,
            profile=profile.name,
            state=state,
            cpus=profile.cpus,
            created_at=self._now,
            started_at=None if self.hangs_on_start else self._now,
            deadline_at=self._now + profile.ttl,
            cpu_seconds=0.0,
            grace=profile.grace,
        )
        life = self.lifetime(profile)
        self.containers[id_] = Container(pilot, life, self.exit_code, self.ignores_term, "bye\n")
        if self.hangs_on_start:
            raise RuntimeUnavailableError("the engine does not answer: it is stalled")
        return name

    def terminate(self, pilot: Pilot) -> None:
        """Send SIGTERM."""
        self._signal(pilot, "terminate", 143, ignored=True)

    def kill(self, pilot: Pilot) -> None:
        """Send SIGKILL."""
        self._signal(pilot, "kill", 137, ignored=False)

    def _signal(self, pilot: Pilot, verb: str, code: int, *, ignored: bool) -> None:
        self._asked()
        self.actions.append(f"{verb} {pilot.name}")
        container = self.containers.get(pilot.id)
        if container is None or container.pilot.state is PilotState.EXITED:
            return
        if not (ignored and container.ignores_term):
            self._exit(container, code)

    def remove(self, pilot: Pilot) -> str:
        """Remove a container."""
        self._asked()
        self.actions.append(f"remove {pilot.name}")
        if self.keeps_exited:
            raise ActionError("the device is busy")
        container = self.containers.pop(pilot.id, None)
        return container.log if container else ""

    def _exit(self, container: Container, code: int) -> None:
        self.ended.add(container.pilot.id)
        container.pilot = replace(
            container.pilot, state=PilotState.EXITED, exit_code=code, finished_at=self._now
        )

    # --- what others do -----------------------------------------------------------------

    def change(self, id_: str, state: PilotState) -> None:
        """Let somebody else change a container's state."""
        container = self.containers[id_]
        container.pilot = replace(container.pilot, state=state)

    def running(self) -> list[Pilot]:
        """Return what really runs, oldest first."""
        everything = sorted(self.containers.values(), key=lambda c: c.pilot.created_at)
        return [c.pilot for c in everything if c.pilot.state is PilotState.RUNNING]
