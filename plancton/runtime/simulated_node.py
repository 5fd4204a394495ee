"""A simulated machine with Docker on it: what the engine sees of it through its ports.

It keeps the same contract as the real adapters; the tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plancton.config.schema import Figure, Profile
from plancton.engine.model.bounds import Bounds
from plancton.engine.model.cpu_list import format_cpu_list
from plancton.engine.model.node import HostSample, ImageStatus, Limit
from plancton.engine.model.objective import Reading
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.model.spare import Spare, may_have_spare, spec_hash
from plancton.engine.ports import (
    ActionError,
    ImageMissingError,
    NotBoundError,
    RuntimeUnavailableError,
)
from plancton.engine.records.persistent_state import PersistentState
from plancton.runtime.simulated_machine import Container, SimulatedMachine


class SimulatedNode(SimulatedMachine):
    """Implements all ports of one node but those of configuration, operator and metrics."""

    def __init__(self, ncpus: int = 4) -> None:
        """Start with an idle node, a usable image for everything, and no containers."""
        super().__init__(ncpus)
        self.image_ids: dict[str, str] = {}
        self.missing_images: set[str] = set()
        self.refreshed: list[str] = []
        self.pinned_images: frozenset[str] = frozenset()
        self.removed_images: tuple[RemovedImage, ...] = ()
        self.saved_state = PersistentState()
        self.exit_code = 0
        self.ignores_term = False
        self.down = self.refuses = ""
        """Reasons why the engine is away, and why it refuses to start a container."""
        self.cannot_bind = ""
        """Why the engine binds no container to CPUs; empty: it does."""
        self.cannot_hold = ""
        """Why the engine changes no container's CPU quota; empty: it does."""
        self.spares: tuple[Spare, ...] = ()
        self.cannot_prepare = ""
        """Why the engine holds no container before its command; empty: it does."""
        self.prepared = self.started_in_spares = 0
        self.hangs_on_start = self.keeps_exited = self.cannot_freeze = False
        self.started = 0
        self.actions: list[str] = []
        self.own_readable = self.waited_readable = True
        self.bounds = Bounds()
        self.unenforced: frozenset[Limit] = frozenset()
        self.figures: dict[str, float | str] = {}
        """What figures are, by name; or why they cannot be read."""
        self._readings: dict[str, Reading] = {}
        self._references: frozenset[str] = frozenset()
        self._requests = 0

    # --- Host ---------------------------------------------------------------------------

    protection_note = ""

    def sample(self, now: float) -> HostSample:
        """Read the simulated counters."""
        live = sum(c.pilot.memory for c in self.containers.values() if c.pilot.live)
        written = sum(
            c.pilot.written.size for c in self.containers.values() if c.pilot.written is not None
        )
        swapped = sum(c.pilot.swapped or 0 for c in self.containers.values())
        own = max(0, int(live * self.memory_use) - swapped)
        return replace(
            self.host,
            at=now,
            ncpus=self.ncpus,
            busy_seconds=self._busy_seconds,
            own_seconds=self._own_seconds if self.own_readable else None,
            suspended_seconds=self.suspended,
            waited_seconds=self.foreground_waited if self.waited_readable else None,
            memory_total=int(self.memory_total),
            memory_available=max(0, int(self.memory_total - self.foreground_memory) - own),
            own_memory=own,
            disk_free=max(0, self.host.disk_free - written),
            swap_free=max(0, self.host.swap_total - swapped),
            load1=self.foreground + sum(p.cpus for p in self.running()),
            protection=self.protection,
            cpu_domains=(tuple(range(self.ncpus)),),
            minute_of_week=int(self.wall() // 60 + 3 * 1440) % (7 * 1440),
        )

    def enforce(self, bounds: Bounds) -> None:
        """Take note of the bounds."""
        self.bounds = bounds

    def reclaim(self, pilots: tuple[str, ...]) -> None:
        """Move all memory of these pilots to swap."""
        for id_ in pilots:
            container = self.containers[id_]
            used, swapped = container.pilot.memory_used or 0, container.pilot.swapped or 0
            container.pilot = replace(container.pilot, memory_used=0, swapped=swapped + used)

    # --- Figures ------------------------------------------------------------------------

    def watch(self, figures: Iterable[Figure]) -> None:
        """Take note of the figures; none is really read."""
        self._readings = {each.name: self._readings.get(each.name, Reading()) for each in figures}

    def readings(self) -> Mapping[str, Reading]:
        """Return what the figures are, or were before they could not be read."""
        for name, before in self._readings.items():
            match self.figures.get(name, "nothing is known of it in this simulation"):
                case str(error):
                    self._readings[name] = replace(before, error=error)
                case value:
                    self._readings[name] = Reading(value, self._now)
        return dict(self._readings)

    # --- Images -------------------------------------------------------------------------

    def configure(
        self, references: frozenset[str], refresh: float, *, pull: bool, keep: int | None
    ) -> None:
        """Take note of the images."""
        self._references = references

    def missing(self, reference: str) -> None:
        """Take note that an image has gone."""
        self.missing_images.add(reference)

    def status(self) -> Mapping[str, ImageStatus]:
        """Return that every wanted image is here, but for the missing ones."""
        gone = ImageStatus(error="no such image in the registry", retry_at=self._now + 30)
        return {
            name: gone if name in self.missing_images else ImageStatus(id=self._image(name))
            for name in self._references
        }

    def pin(self, ids: frozenset[str]) -> None:
        """Take note of the images that must stay."""
        self.pinned_images = ids

    def take_removed(self) -> tuple[RemovedImage, ...]:
        """Return what a test says was removed."""
        taken, self.removed_images = self.removed_images, ()
        return taken

    def refresh(self, reference: str) -> None:
        """Take note that an image is outdated."""
        self.refreshed.append(reference)

    def _image(self, reference: str) -> str:
        return self.image_ids.get(reference, "sha256:simulated")

    # --- StateStore ---------------------------------------------------------------------

    def load(self) -> PersistentState:
        """Return what was saved last."""
        return self.saved_state

    def save(self, saved_state: PersistentState) -> None:
        """Keep it."""
        self.saved_state = saved_state

    # --- Runtime ------------------------------------------------------------------------

    @property
    def requests(self) -> int:
        """Requests made so far."""
        return self._requests

    complaints: tuple[str, ...] = ()

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

    def start(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
    ) -> Pilot:
        """Create and start a container."""
        self._count_request()
        if cpus and self.cannot_bind:
            raise NotBoundError(self.cannot_bind)
        if profile.image in self.missing_images:
            raise ImageMissingError(f"no image {profile.image} on the node")
        if self.refuses:
            raise ActionError(f"cannot start: {self.refuses}")
        spare = self._take_spare(profile, image_id)
        self.started += 1
        id_ = spare.id if spare else f"{self.started:08x}".ljust(64, "0")
        state = PilotState.CREATED if self.hangs_on_start else PilotState.RUNNING
        pilot = Pilot(
            id=id_,
            name=spare.name if spare else f"plancton-{profile.name}-{self.started:06d}",
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
            disk=profile.disk,
            image_id=image_id or self._image(profile.image),
            bound_to=cpus,
            most_cores=profile.most_cores,
            held_to=profile.cpus if held_to is None else held_to,
        )
        self._start_debt += 0.0 if spare else self.start_cost
        life = self.lifetime(profile)
        self.containers[id_] = Container(pilot, life, self.exit_code, self.ignores_term, "bye\n")
        if self.start_delay and not spare:
            self.advance(self.start_delay)
        if self.hangs_on_start:
            raise RuntimeUnavailableError("the engine does not answer: it is stalled")
        return pilot

    def prepare(self, profile: Profile, image_id: str = "") -> None:
        """Make a spare."""
        self._count_request()
        if profile.image in self.missing_images:
            raise ImageMissingError(f"no image {profile.image} on the node")
        if self.cannot_prepare:
            raise ActionError(self.cannot_prepare)
        self.prepared += 1
        id_ = f"a{self.prepared:07x}".ljust(64, "0")
        name = f"plancton-{profile.name}-s{self.prepared:05d}"
        image = image_id or self._image(profile.image)
        self.spares = (*self.spares, Spare(id_, name, profile.name, spec_hash(profile), image))
        self._start_debt += self.start_cost

    def discard(self, spare: Spare) -> None:
        """Remove a spare."""
        self._count_request()
        self.spares = tuple(each for each in self.spares if each.id != spare.id)

    def _take_spare(self, profile: Profile, image_id: str) -> Spare | None:
        image, spec = image_id or self._image(profile.image), spec_hash(profile)
        for spare in self.spares:
            right = spare.ready and not spare.outdated and may_have_spare(profile)
            if right and (spare.image_id, spare.spec) == (image, spec):
                self.spares = tuple(each for each in self.spares if each is not spare)
                self.started_in_spares += 1
                return spare
        return None

    def bind(self, pilot: Pilot, cpus: tuple[int, ...]) -> None:
        """Bind a container to CPUs."""
        self._count_request()
        self.actions.append(f"bind {pilot.name} {format_cpu_list(cpus)}")
        if self.cannot_bind:
            raise ActionError(self.cannot_bind)
        container = self.containers.get(pilot.id)
        if container is not None:
            container.pilot = replace(container.pilot, bound_to=cpus)

    def hold(self, pilot: Pilot, cores: float) -> None:
        """Change a container's CPU quota."""
        self._count_request()
        self.actions.append(f"hold {pilot.name} {cores:g}")
        if self.cannot_hold:
            raise ActionError(self.cannot_hold)
        container = self.containers.get(pilot.id)
        if container is not None:
            container.pilot = replace(container.pilot, held_to=cores)

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
        if verb == "thaw" and container.pilot.swapped:
            used = int(container.pilot.memory * self.memory_use)
            container.pilot = replace(container.pilot, memory_used=used, swapped=None)

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
                self.set_state(pilot.id, PilotState.RUNNING)
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
