"""Containers of a simulated machine, as the engine asks for them.

It keeps the same contract as the real adapter; the tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plancton.config.schema import Profile
from plancton.engine.model.cpu_list import format_cpu_list
from plancton.engine.model.node import Limit
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare, may_have_spare, spec_hash
from plancton.engine.ports import (
    ActionError,
    ImageMissingError,
    NotBoundError,
    RuntimeUnavailableError,
)
from plancton.runtime.simulated_machine import Container, SimulatedMachine


class SimulatedContainers(SimulatedMachine):
    """Implements ``ports.Runtime``."""

    def __init__(self, ncpus: int = 4) -> None:
        """Start without containers, and with an image for each."""
        super().__init__(ncpus)
        self.image_ids: dict[str, str] = {}
        self.missing_images: set[str] = set()
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
        self.unenforced: frozenset[Limit] = frozenset()
        self._created: dict[str, Pilot] = {}
        self._requests = 0

    def _image(self, reference: str) -> str:
        return self.image_ids.get(reference, "sha256:simulated")

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
        name: str = "",
    ) -> Pilot:
        """Create and start a container."""
        self._count_request()
        if cpus and self.cannot_bind:
            raise NotBoundError(self.cannot_bind)
        missing = profile.image in self.missing_images
        if missing or self.refuses:
            if name in self._created:  # nothing is left behind
                del self.containers[self._created.pop(name).id]
            if missing:
                raise ImageMissingError(f"no image {profile.image} on the node")
            raise ActionError(f"cannot start: {self.refuses}")
        spare = None if name in self._created else self._take_spare(profile, image_id)
        made = self._created.pop(name, None) or self._make(profile, name, image_id, spare)
        cores = profile.cpus if held_to is None else held_to
        pilot = replace(made, bound_to=cpus, held_to=cores)
        if not self.hangs_on_start:
            pilot = replace(pilot, state=PilotState.RUNNING, started_at=self._now)
        self._start_debt += 0.0 if spare else self.start_cost
        life = self.lifetime(profile)
        self.containers[pilot.id] = Container(
            pilot, life, self.exit_code, self.ignores_term, "bye\n"
        )
        if self.hangs_on_start:
            raise RuntimeUnavailableError("the engine does not answer: it is stalled")
        return pilot

    def start_in_spare(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
    ) -> Pilot | None:
        """Start a container that is held, if one fits."""
        fits = any(True for _ in self._fitting(profile, image_id))
        return self.start(profile, image_id, cpus, held_to) if fits else None

    def prepare(self, profile: Profile, image_id: str = "", name: str = "") -> None:
        """Make a spare."""
        self._count_request()
        if profile.image in self.missing_images:
            raise ImageMissingError(f"no image {profile.image} on the node")
        if self.cannot_prepare:
            raise ActionError(self.cannot_prepare)
        self.prepared += 1
        id_ = f"a{self.prepared:07x}".ljust(64, "0")
        name = name or f"plancton-{profile.name}-s{self.prepared:05d}"
        image = image_id or self._image(profile.image)
        self.spares = (*self.spares, Spare(id_, name, profile.name, spec_hash(profile), image))
        self._start_debt += self.start_cost

    def discard(self, spare: Spare) -> None:
        """Remove a spare."""
        self._count_request()
        self.spares = tuple(each for each in self.spares if each.id != spare.id)

    def _fitting(self, profile: Profile, image_id: str) -> Iterator[Spare]:
        image, spec = image_id or self._image(profile.image), spec_hash(profile)
        for spare in self.spares:
            right = spare.ready and not spare.outdated and may_have_spare(profile)
            if right and (spare.image_id, spare.spec) == (image, spec):
                yield spare

    def _take_spare(self, profile: Profile, image_id: str) -> Spare | None:
        spare = next(self._fitting(profile, image_id), None)
        if spare is not None:
            self.spares = tuple(each for each in self.spares if each is not spare)
            self.started_in_spares += 1
        return spare

    def create(self, profile: Profile, name: str, image_id: str) -> None:
        """Create a container that is started later, by its name."""
        self._created[name] = pilot = self._make(profile, name, image_id)
        self.containers[pilot.id] = Container(pilot, 0.0)

    def _make(
        self, profile: Profile, name: str, image_id: str, spare: Spare | None = None
    ) -> Pilot:
        self.started += 1
        own = name or f"plancton-{profile.name}-{self.started:06d}"
        return Pilot(
            id=spare.id if spare else f"{self.started:08x}".ljust(64, "0"),
            name=spare.name if spare else own,
            profile=profile.name,
            state=PilotState.CREATED,
            cpus=profile.cpus,
            created_at=self._now,
            deadline_at=self._now + profile.ttl,
            cpu_seconds=0.0,
            grace=profile.grace,
            memory=profile.memory,
            memory_used=int(profile.memory * self.memory_use),
            disk=profile.disk,
            image_id=image_id or self._image(profile.image),
            most_cores=profile.most_cores,
        )

    def close(self) -> None:
        """Do nothing: there is no connection."""

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
