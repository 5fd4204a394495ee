"""Starts pilots, from any thread: each brings a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import docker.errors

from plancton.config.schema import Profile
from plancton.engine.model.pilot import Pilot
from plancton.engine.ports import ActionError, Clock, NotBoundError
from plancton.runtime.docker.bind_sources import BindSources, viewer_of
from plancton.runtime.docker.client import DockerClient, api_error_text
from plancton.runtime.docker.connection import DockerConnection, if_needed
from plancton.runtime.docker.cpusets import check_cpusets, is_about_cpus
from plancton.runtime.docker.creator import PilotCreator
from plancton.runtime.docker.disk_meter import places_of
from plancton.runtime.docker.pilots import (
    Inspection,
    NoPilotError,
    endpoint_of,
    started_pilot,
)
from plancton.runtime.job_features import JobFeatures

if TYPE_CHECKING:
    from plancton.runtime.network.guard import NetworkGuard


@dataclass(slots=True)
class PilotLauncher:
    """What a start takes. Threads share it: what it holds is made for that, or never changes."""

    url: str
    clock: Clock
    creator: PilotCreator
    features: JobFeatures
    bind_sources: BindSources
    network: NetworkGuard | None
    info: Callable[[], Mapping[str, Any]]
    """Docker's ``/info``, as of the engine's last connection."""
    no_spares: str = ""
    """Why no pilot could start in a spare that was made now; empty: one could."""
    _inspections: SimpleQueue[tuple[str, Inspection]] = field(default_factory=SimpleQueue)

    def launch(
        self,
        client: DockerClient,
        name: str,
        profile: Profile,
        image_id: str,
        cpus: tuple[int, ...],
        held_to: float | None,
    ) -> Pilot:
        """Create and start one pilot; see ``ports.Runtime``."""
        with binding_told_apart(cpus, self.info()):
            id_ = self._make(client, name, profile, image_id, cpus, held_to)
        pilot = started_pilot(profile, id_, name, image_id, cpus, self.clock.now())
        self.guard_network(client, pilot)
        return pilot

    def prepare(self, client: DockerClient, name: str, profile: Profile, image_id: str) -> None:
        """Make a spare, for a pilot of this *name*; see ``ports.Runtime``."""
        if self.no_spares:
            raise ActionError(self.no_spares)
        self._make(client, name, profile, image_id, (), profile.most_cores, spare=True)

    def _make(
        self,
        client: DockerClient,
        name: str,
        profile: Profile,
        image_id: str,
        cpus: tuple[int, ...],
        held_to: float | None,
        *,
        spare: bool = False,
    ) -> str:
        """Create and start a container; returns its ID."""
        viewer = viewer_of(self.url, self.info())
        with self.bind_sources.mounted(name, profile, viewer) as bound:
            try:
                id_ = self.creator.create(
                    client,
                    profile,
                    bound,
                    name,
                    image_id,
                    self.features,
                    cpus,
                    held_to,
                    spare=spare,
                )
            except ActionError:
                self.features.remove(name)
                raise
            try:
                client.start(id_)
            except docker.errors.APIError as error:
                _remove_not_started(client, id_)
                self.features.remove(name)
                raise ActionError(f"cannot start: {api_error_text(error)}") from error
        return id_

    def take_inspections(self) -> dict[str, Inspection]:
        """Return what was inspected at starts since the last call, by ID of the container."""
        taken = {}
        while not self._inspections.empty():  # nobody else takes them
            id_, inspection = self._inspections.get()
            taken[id_] = inspection
        return taken

    def guard_network(self, client: DockerClient, pilot: Pilot) -> None:
        """Have a pilot held back on the network from its start on.

        It takes the inspection that the next ``pilots`` needs anyway, and need not take again.
        """
        if self.network is None:
            return
        with suppress(docker.errors.APIError, NoPilotError):
            container = client.inspect_container(pilot.id)
            inspection = Inspection.of(container, places_of(container))
            self._inspections.put((pilot.id, inspection))
            endpoint = endpoint_of(pilot, inspection)
            if endpoint:
                self.network.add(endpoint)


@contextmanager
def binding_told_apart(cpus: tuple[int, ...], info: Mapping[str, Any]) -> Iterator[None]:
    """Raise NotBoundError for what is refused because of the CPUs that a pilot is to be bound to.

    *info* is Docker's ``/info``.
    """
    try:
        if cpus:
            check_cpusets(info)
        yield
    except ActionError as error:
        if cpus and is_about_cpus(str(error)):
            raise NotBoundError(str(error)) from error
        raise


def _remove_not_started(client: DockerClient, id_: str) -> None:
    """Remove a container that did not start; if that fails, it is reaped as an orphan."""
    if_needed(lambda: client.remove_container(id_, v=True, force=True), fine=(400, 500))


class DockerStarter(DockerConnection):
    """Implements ``ports.StartingRuntime`` on a connection of its own."""

    def __init__(self, launcher: PilotLauncher, timeout: float) -> None:
        """Start what *launcher* does."""
        super().__init__(launcher.url, timeout)
        self._launcher = launcher
        self._seen: Mapping[str, Any] = {}

    def start(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
        name: str = "",
    ) -> Pilot:
        """Create and start one pilot; see ``ports.Runtime``."""
        with self._fresh(name) as client:
            return self._launcher.launch(client, name, profile, image_id, cpus, held_to)

    def prepare(self, profile: Profile, image_id: str = "", name: str = "") -> None:
        """Make a spare; see ``ports.Runtime``."""
        with self._fresh(name) as client:
            self._launcher.prepare(client, name, profile, image_id)

    @contextmanager
    def _fresh(self, container: str) -> Iterator[DockerClient]:
        info = self._launcher.info()
        if info is not self._seen:  # the engine has connected anew: Docker may be another one
            self.close()
            self._seen = info
        with self._about(container) as client:
            yield client
