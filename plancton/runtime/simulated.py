"""A node that exists only in memory: containers, kernel counters and a clock that is stepped.

It keeps the same contract as the real adapters; the tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from plancton.config.schema import Profile
from plancton.engine.model.node import HostSample, ImageStatus, Protection
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.ports import ActionError, ImageMissingError, RuntimeUnavailableError
from plancton.engine.records.persistent_state import PersistentState


@dataclass(slots=True)
class Container:
    """One simulated container. Times are of the boot clock."""

    pilot: Pilot
    lifetime: float
    exit_code: int = 0
    ignores_term: bool = False
    log: str = ""
    frozen_at: float = 0.0


class SimulatedNode:
    """Implements ``Runtime``, ``Host``, ``Images``, ``Keeper`` and ``Clock`` of one node."""

    def __init__(self, ncpus: int = 4) -> None:
        """Start with an idle node, a usable image for everything, and no containers."""
        self.ncpus, self.foreground = ncpus, 0.0
        self.foreground_memory, self.memory_total = 4e9, 256e9
        self.memory_use, self.appetite = 0.25, 1.0
        """Parts of its memory limit and of its cores that each pilot uses."""
        self.protection = Protection.IDLE
        self.start_delay = self.start_cost = 0.0
        """Seconds until a started container runs, and core-seconds that this costs the node."""
        self.host = HostSample(0.0, ncpus, 0.0, 0.0, disk_free=10**11, disk_total=10**12)
        """What no container changes; tests replace it."""
        self.wanted = self.got = 0.0
        """Core-seconds that the foreground wanted, and had."""
        self.image_ids: dict[str, str] = {}
        self.refreshed: list[str] = []
        self.memory = PersistentState()
        self._debt = 0.0
        self.containers: dict[str, Container] = {}
        self.lifetime: Callable[[Profile], float] = lambda _: 60.0
        self.exit_code = 0
        self.ignores_term = False
        self.missing_images: set[str] = set()
        self.down = self.refuses = ""
        """Reasons why the engine is away, and why it refuses to start a container."""
        self.hangs_on_start = self.keeps_exited = self.cannot_freeze = False
        self.epoch, self.wall_step = 1_700_000_000.0, 0.0
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
        return self.epoch + self._now + self.wall_step

    def day(self) -> str:
        """Return the day, in UTC."""
        return str(int(self.wall() // 86400))

    @property
    def own_total(self) -> float:
        """Core-seconds of all pilots ever."""
        return self._own

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
        """Share the cores: to the foreground first, or by weight where nothing protects it.

        Pilots get what is left, up to their quota. Starting containers costs the node, too.
        """
        running = [c for c in self.containers.values() if c.pilot.state is PilotState.RUNNING]
        hungry = sum(each.pilot.cpus for each in running) * self.appetite
        wants = min(self.foreground, float(self.ncpus))
        paid = min(self._debt, max(0.0, self.ncpus - wants) * seconds)
        self._debt -= paid
        whole = self.ncpus - (paid / seconds if seconds else 0.0)
        has = wants
        if self.protection is Protection.WEIGHT_ONLY and wants + hungry > whole:
            has = max(whole - hungry, whole * wants / (wants + hungry))
        part = min(1.0, max(0.0, whole - has) / hungry) if hungry else 0.0
        for each in running:
            used = each.pilot.cpus * self.appetite * part * seconds
            self._own += used
            each.pilot = replace(each.pilot, cpu_seconds=(each.pilot.cpu_seconds or 0) + used)
            self._busy += used
        self._busy += has * seconds + paid
        self.wanted, self.got = self.wanted + wants * seconds, self.got + has * seconds

    # --- Host ---------------------------------------------------------------------------

    protection_note = ""

    def sample(self, now: float) -> HostSample:
        """Read the simulated counters."""
        live = sum(c.pilot.memory for c in self.containers.values() if c.pilot.live)
        own = int(live * self.memory_use)
        return replace(
            self.host,
            at=now,
            ncpus=self.ncpus,
            busy_seconds=self._busy,
            own_seconds=self._own if self.own_readable else None,
            memory_total=int(self.memory_total),
            memory_available=max(0, int(self.memory_total - self.foreground_memory) - own),
            own_memory=own,
            load1=self.foreground + sum(p.cpus for p in self.running()),
            protection=self.protection,
            minute_of_week=int(self.wall() // 60 + 3 * 1440) % (7 * 1440),
        )

    # --- Images -------------------------------------------------------------------------

    _wanted: frozenset[str] = frozenset()

    def configure(self, references: frozenset[str], refresh: float, *, pull: bool) -> None:
        """Take note of the images."""
        self._wanted = references

    def missing(self, reference: str) -> None:
        """Take note that an image has gone."""
        self.missing_images.add(reference)

    def status(self) -> Mapping[str, ImageStatus]:
        """Return that every wanted image is here, but for the missing ones."""
        gone = ImageStatus(error="no such image in the registry", retry_at=self._now + 30)
        return {
            name: gone if name in self.missing_images else ImageStatus(id=self._image(name))
            for name in self._wanted
        }

    def refresh(self, reference: str) -> None:
        """Take note that an image is outdated."""
        self.refreshed.append(reference)

    def _image(self, reference: str) -> str:
        return self.image_ids.get(reference, "sha256:simulated")

    # --- Keeper -------------------------------------------------------------------------

    def load(self) -> PersistentState:
        """Return what was saved last."""
        return self.memory

    def save(self, memory: PersistentState) -> None:
        """Keep it."""
        self.memory = memory

    # --- Runtime ------------------------------------------------------------------------

    @property
    def requests(self) -> int:
        """Requests made so far."""
        return self._requests

    @property
    def ignored(self) -> tuple[str, ...]:
        """Nothing: no others make containers here."""
        return ()

    def _count_request(self) -> None:
        self._requests += 1
        if self.down:
            raise RuntimeUnavailableError(self.down)

    def pilots(self, doubted: frozenset[str] = frozenset()) -> tuple[Pilot, ...]:
        """Return all containers, oldest first."""
        self._count_request()
        pilots = [container.pilot for container in self.containers.values()]
        return tuple(sorted(pilots, key=lambda pilot: (pilot.created_at, pilot.id)))

    def start(self, profile: Profile, image_id: str = "") -> Pilot:
        """Create and start a container."""
        self._count_request()
        if profile.image in self.missing_images:
            raise ImageMissingError(f"no image {profile.image} on the node")
        if self.refuses:
            raise ActionError(f"cannot start: {self.refuses}")
        self.started += 1
        id_ = f"{self.started:08x}".ljust(64, "0")
        state = PilotState.CREATED if self.hangs_on_start else PilotState.RUNNING
        pilot = Pilot(
            id=id_,
            name=f"plancton-{profile.name}-{self.started:06d}",
            profile=profile.name,
            state=state,
            cpus=profile.cpus,
            created_at=self._now,
            started_at=None if self.hangs_on_start else self._now,
            deadline_at=self._now + profile.ttl,
            cpu_seconds=0.0,
            grace=profile.grace,
            memory=profile.memory,
            memory_used=int(profile.memory * self.memory_use),
            image_id=image_id or self._image(profile.image),
        )
        self._debt += self.start_cost
        life = self.lifetime(profile)
        self.containers[id_] = Container(pilot, life, self.exit_code, self.ignores_term, "bye\n")
        if self.start_delay:
            self.advance(self.start_delay)
        if self.hangs_on_start:
            raise RuntimeUnavailableError("the engine does not answer: it is stalled")
        return pilot

    def freeze(self, pilot: Pilot) -> None:
        """Pause a container."""
        self._pause(pilot, "freeze", PilotState.RUNNING, PilotState.PAUSED)

    def thaw(self, pilot: Pilot) -> None:
        """Unpause a container; the time it was frozen does not count to its work."""
        self._pause(pilot, "thaw", PilotState.PAUSED, PilotState.RUNNING)

    def _pause(self, pilot: Pilot, verb: str, old: PilotState, new: PilotState) -> None:
        self._count_request()
        self.actions.append(f"{verb} {pilot.name}")
        if self.cannot_freeze and verb == "freeze":
            raise ActionError("the freezer is not there")
        container = self.containers.get(pilot.id)
        if container is None or container.pilot.state is not old:
            return
        container.lifetime += self._now - container.frozen_at if verb == "thaw" else 0.0
        container.frozen_at = self._now
        container.pilot = replace(container.pilot, state=new)

    def terminate(self, pilot: Pilot) -> None:
        """Send SIGTERM."""
        self._signal(pilot, "terminate", 143, ignored=True)

    def kill(self, pilot: Pilot) -> None:
        """Send SIGKILL."""
        self._signal(pilot, "kill", 137, ignored=False)

    def _signal(self, pilot: Pilot, verb: str, code: int, *, ignored: bool) -> None:
        self._count_request()
        self.actions.append(f"{verb} {pilot.name}")
        container = self.containers.get(pilot.id)
        if container is None or container.pilot.state is PilotState.EXITED:
            return
        if ignored and container.ignores_term:
            if container.pilot.state is PilotState.PAUSED:
                self.change(pilot.id, PilotState.RUNNING)
            return
        self._exit(container, code)

    def remove(self, pilot: Pilot) -> str:
        """Remove a container."""
        self._count_request()
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
