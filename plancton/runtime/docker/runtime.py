"""Pilots on a real Docker Engine, by its low-level API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import docker.errors

from plancton.config.schema import Profile
from plancton.engine.model.node import Limit
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare
from plancton.engine.ports import ActionError, Clock, RuntimeUnavailableError
from plancton.engine.starter import new_pilot_name
from plancton.runtime.cgroup import ParentCgroup, PilotMemory
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.bind_sources import BindSources
from plancton.runtime.docker.client import DockerClient, NonsenseError, api_error_text
from plancton.runtime.docker.connection import DockerConnection, if_needed
from plancton.runtime.docker.cpusets import bind_container, check_cpusets, hold_container
from plancton.runtime.docker.creator import PilotCreator
from plancton.runtime.docker.data_root import data_root
from plancton.runtime.docker.disk_meter import DiskMeter, places_of
from plancton.runtime.docker.engine_host import other_machine
from plancton.runtime.docker.launcher import DockerStarter, PilotLauncher, binding_told_apart
from plancton.runtime.docker.pilots import (
    ENDED,
    RUNS,
    STATE_OF,
    Inspection,
    NoPilotError,
    check_made_by_us,
    endpoint_of,
    id_of,
    is_listed,
    label_of,
    labels_of,
    number_label,
    pilot_from,
)
from plancton.runtime.docker.proxies import DockerProxies
from plancton.runtime.docker.spares import Spares
from plancton.runtime.job_features import JobFeatures

if TYPE_CHECKING:
    from plancton.runtime.network.guard import NetworkGuard

_FREEZE_TRIES = 5
_LOG_LINES, _LOG_BYTES = 20, 4096


class DockerRuntime(DockerConnection):
    """Implements ``ports.Runtime``. Steady state costs one request a look, however many pilots."""

    def __init__(
        self,
        url: str,
        instance: str,
        clock: Clock,
        parent: ParentCgroup,
        *,
        oom_score_adj: Callable[[], int] = lambda: 1000,
        features: JobFeatures | None = None,
        disk: DiskMeter | None = None,
        network: NetworkGuard | None = None,
        docker_config: str = "",
        node: str = "",
        timeout: float = 30.0,
        frozen_may_swap: Callable[[], bool] = lambda: False,
        use_spares: Callable[[], bool] = lambda: True,
    ) -> None:
        """Manage the containers of *instance* on the engine at *url*.

        *frozen_may_swap* tells whether a frozen pilot's memory may go to swap, *use_spares*
        whether pilots start in spares.
        """
        super().__init__(url, timeout)
        self.instance, self.clock, self.parent = instance, clock, parent
        self.bind_sources = BindSources()
        self.disk = disk or DiskMeter(url)
        self.network = network
        self.creator = PilotCreator(
            instance, clock, parent, DockerProxies(url, docker_config), oom_score_adj, node
        )
        self.data_root = "/"
        self.info: Mapping[str, Any] = {}
        self.memory, self.frozen_may_swap = PilotMemory(parent), frozen_may_swap
        self.launcher = PilotLauncher(
            url,
            clock,
            self.creator,
            features or JobFeatures(None),
            self.bind_sources,
            network,
            lambda: self.info,
        )
        features = self.launcher.features
        self._spares = Spares(instance, clock, self.creator, features, use_spares)
        self.ignored: tuple[str, ...] = ()
        """Containers that carry our label and are no pilots of ours, and why."""
        self._features_swept = False
        self._inspections: dict[str, Inspection] = {}

    @property
    def unenforced(self) -> frozenset[Limit]:
        """Limits that this kernel does not enforce."""
        return self.creator.unenforced

    @property
    def complaints(self) -> tuple[str, ...]:
        """Docker's warnings about the last pilot it made."""
        return self.creator.complaints

    @property
    def spares(self) -> tuple[Spare, ...]:
        """Spares as of the last listing."""
        return self._spares.seen

    def close(self) -> None:
        """Drop the connection."""
        super().close()
        self._spares.forget()
        self.launcher.no_spares = ""
        self.bind_sources.close()

    def _learn(self, client: DockerClient) -> None:
        self.info = client.info()
        self.data_root = data_root(self.info)
        elsewhere = other_machine(self.url, self.info)
        if elsewhere:
            self.parent.give_up(
                f"Docker runs on another machine, {elsewhere}, and Plancton protects only its own: "
                f"run Plancton there, or correct {getattr(self.url, 'source', '') or 'node.docker'}"
            )
        else:
            self.parent.configure(self.info)
        self.creator.learn(self.info)

    def check(self) -> Mapping[str, Any]:
        """Connect and return the engine's ``/info``."""
        with self._connected():
            return self.info

    # --- observe ------------------------------------------------------------------------

    def pilots(self, doubted: frozenset[str] = frozenset()) -> tuple[Pilot, ...]:
        """List all containers of this instance, oldest first; see ``ports.Runtime``."""
        with self._connected() as client:
            self._inspections = self.launcher.take_inspections() | self._inspections
            try:
                listed = client.containers(
                    all=True, filters={"label": f"{container_spec.INSTANCE}={self.instance}"}
                )
                if not all(map(is_listed, listed)):
                    raise NonsenseError
                found = self._pilots(client, self._spares.look(listed), doubted)
            except docker.errors.APIError as error:
                raise RuntimeUnavailableError(
                    f"Docker at {self.url} cannot list containers: {api_error_text(error)}"
                ) from error
        self.bind_sources.note_pilots(listed)
        present = {pilot.id for pilot in found}
        self._inspections = {
            id_: inspection for id_, inspection in self._inspections.items() if id_ in present
        }
        self.disk.watch({i: each.places for i, each in self._inspections.items() if not each.ended})
        if self.network:
            known = self._inspections
            self.network.look_after(
                filter(None, (endpoint_of(each, known.get(each.id)) for each in found))
            )
        if not self._features_swept:
            self._features_swept = True
            names = [pilot.name for pilot in found] + [spare.name for spare in self.spares]
            self.launcher.features.remove_others(names)
        return tuple(sorted(found, key=lambda pilot: (pilot.created_at, pilot.id)))

    def _pilots(
        self, client: DockerClient, listed: list[Any], doubted: frozenset[str]
    ) -> list[Pilot]:
        """Return those of the *listed* containers that are pilots; remember why others are not."""
        found, ignored = [], []
        for item in listed:
            try:
                pilot = self._pilot(client, item, id_of(item) in doubted)
            except NoPilotError as error:
                ignored.append(
                    f"container {label_of(item)} carries our label and is left alone: {error}"
                )
            else:
                found += [pilot] if pilot else []
        self.ignored = tuple(ignored)
        return found

    def _pilot(self, client: DockerClient, item: Mapping[str, Any], doubted: bool) -> Pilot | None:
        labels = labels_of(item)
        check_made_by_us(item)
        state = STATE_OF.get(str(item.get("State", "")).lower(), PilotState.REMOVING)
        inspection = None
        if state not in (PilotState.CREATED, PilotState.REMOVING):
            # Docker reports an end before its listing shows it; an inspection waits for it.
            inspection = self._inspect(client, item["Id"], ended=doubted or state in ENDED)
            if inspection is None:
                return None
            if doubted and inspection.status in STATE_OF:
                state = STATE_OF[inspection.status]
            if state in RUNS:
                self._keep_memory(item["Id"], frozen=state is PilotState.PAUSED)
        offset = number_label(labels, container_spec.CLOCK, self.clock.wall() - self.clock.now())
        written = self.disk.written(item["Id"])
        item, inspection = self._spares.as_pilot(client, item, state, inspection)
        pilot = pilot_from(item, state, inspection, offset, self.parent, self.memory, written)
        sent, received = (self.network and self.network.traffic(pilot.id)) or (None, None)
        return replace(pilot, sent=sent, received=received)

    def _keep_memory(self, id_: str, *, frozen: bool) -> None:
        swap = known.swap if (known := self._inspections.get(id_)) else None
        self.memory.keep(id_, swap, may_swap=frozen and self.frozen_may_swap())

    def _inspect(self, client: DockerClient, id_: str, *, ended: bool) -> Inspection | None:
        """Inspect a container once in each phase; None if it has gone meanwhile."""
        known = self._inspections.get(id_)
        if known is not None and known.ended == ended:
            return known
        try:
            container = client.inspect_container(id_)
        except docker.errors.NotFound:
            return None
        self._inspections[id_] = inspection = Inspection.of(container, places_of(container))
        return inspection

    # --- act ----------------------------------------------------------------------------

    def start(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
        name: str = "",
    ) -> Pilot:
        """Create and start one pilot, in a spare if one fits; see ``ports.Runtime``."""
        spare = self.start_in_spare(profile, image_id, cpus, held_to)
        if spare is not None:
            return spare
        name = name or new_pilot_name(profile.name)
        with self._about(name) as client:
            return self.launcher.launch(client, name, profile, image_id, cpus, held_to)

    def start_in_spare(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
    ) -> Pilot | None:
        """Have a spare become a pilot; see ``ports.Runtime``."""
        with self._about(f"a spare of {profile.name}") as client:
            with binding_told_apart(cpus, self.info):
                pilot = self._spares.take(client, profile, image_id, cpus, held_to)
            self.launcher.no_spares = self._spares.unusable
            if pilot is not None:
                self.launcher.guard_network(client, pilot)
        return pilot

    def prepare(self, profile: Profile, image_id: str = "", name: str = "") -> None:
        """Make a spare; see ``ports.Runtime``."""
        name = name or new_pilot_name(profile.name)
        with self._about(name) as client:
            self.launcher.prepare(client, name, profile, image_id)

    def discard(self, spare: Spare) -> None:
        """Remove a spare."""
        with self._about(spare.label) as client:
            if_needed(lambda: self._spares.discard(client, spare))

    def starter(self) -> DockerStarter:
        """Return what starts pilots beside this, in another thread."""
        return DockerStarter(self.launcher, self.timeout)

    def bind(self, pilot: Pilot, cpus: tuple[int, ...]) -> None:
        """Change the container's cpuset; what Docker changes besides is set right again."""
        check_cpusets(self.info)
        with self._about(pilot.label) as client:
            bind_container(client, pilot.id, cpus)
        known = self._inspections.get(pilot.id)
        if known is not None:
            self._inspections[pilot.id] = replace(known, cpus=cpus)
        self._keep_memory(pilot.id, frozen=pilot.frozen)

    def hold(self, pilot: Pilot, cores: float) -> None:
        """Change the container's CPU quota; what Docker changes besides is set right again."""
        with self._about(pilot.label) as client:
            hold_container(client, pilot.id, cores)
        known = self._inspections.get(pilot.id)
        if known is not None:
            self._inspections[pilot.id] = replace(known, held_to=cores)
        self._keep_memory(pilot.id, frozen=pilot.frozen)

    def freeze(self, pilot: Pilot) -> None:
        """Pause the container.

        The freezer of cgroup v1 may give up on a busy machine, in each engine's own words: a
        pilot in the idle class must run for a moment to be frozen. So it is tried again.
        """
        with self._about(pilot.label) as client:
            for tries_left in reversed(range(_FREEZE_TRIES)):
                try:
                    if_needed(lambda: client.pause(pilot.id), text="already paused")
                except ActionError:
                    if not tries_left:
                        raise
                else:
                    return

    def thaw(self, pilot: Pilot) -> None:
        """Unpause the container; its swap is bounded again before."""
        self._keep_memory(pilot.id, frozen=False)
        with self._about(pilot.label) as client:
            if_needed(lambda: client.unpause(pilot.id), text="not paused")

    def terminate(self, pilot: Pilot) -> None:
        """Send SIGTERM, and thaw a paused pilot so that it can act on it."""
        self.launcher.features.set_shutdown_time(pilot.name, self.clock.wall() + pilot.grace)
        self._keep_memory(pilot.id, frozen=False)
        with self._about(pilot.label) as client:
            if_needed(lambda: client.kill(pilot.id, "SIGTERM"))
            if pilot.state is PilotState.PAUSED:
                if_needed(lambda: client.unpause(pilot.id), fine=(500,))

    def kill(self, pilot: Pilot) -> None:
        """Send SIGKILL."""
        with self._about(pilot.label) as client:
            if_needed(lambda: client.kill(pilot.id, "SIGKILL"))

    def remove(self, pilot: Pilot) -> str:
        """Remove a container and its anonymous volumes; returns its last log lines."""
        with self._about(pilot.label) as client:
            raw = if_needed(lambda: client.logs(pilot.id, tail=_LOG_LINES), fine=(400, 500, 501))
            if_needed(lambda: client.remove_container(pilot.id, v=True, force=True))
        self.launcher.features.remove(pilot.name)
        return _printable(raw or b"")


def _printable(raw: bytes) -> str:
    text = raw[-_LOG_BYTES:].decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
