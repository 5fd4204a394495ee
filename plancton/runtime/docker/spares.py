"""Spares: containers that are made and held before their pilots are to start.

A spare differs from the pilot that it becomes by its name alone. So one rename, which Docker does
once, makes it a pilot, and what is removed by the name of a spare is no pilot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import docker.errors
import requests

from plancton import __version__
from plancton.config.schema import Profile
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.spare import Spare, may_have_spare, spec_hash
from plancton.engine.ports import ActionError, Clock
from plancton.runtime.docker import container_spec
from plancton.runtime.docker.client import DockerClient
from plancton.runtime.docker.cpusets import bind_container, hold_container
from plancton.runtime.docker.creator import SPARE_SUFFIX, PilotCreator
from plancton.runtime.docker.gate import let_go
from plancton.runtime.docker.pilots import (
    STATE_OF,
    Inspection,
    labels_of,
    name_of,
    number_label,
    started_pilot,
)
from plancton.runtime.job_features import JobFeatures

_CLOCK_STEP = 1.0
"""Seconds by which the wall clock may have been set since a spare was made: its pilot's stamps
are off by as much."""


class Spares:
    """The spares of one instance, by Docker's listing. One object belongs to one thread."""

    def __init__(
        self,
        instance: str,
        clock: Clock,
        creator: PilotCreator,
        features: JobFeatures,
        wanted: Callable[[], bool],
    ) -> None:
        """Look after the spares of *instance*; *wanted* tells whether pilots start in them."""
        self._instance, self._clock, self._creator = instance, clock, creator
        self._features, self._wanted = features, wanted
        self.seen: tuple[Spare, ...] = ()
        """As of the last look."""
        self._began: dict[str, float | None] = {}
        """When pilots that were spares began, seconds of the epoch, by ID; None: not known."""
        self._let_go: set[str] = set()
        self.unusable = ""
        """Why this engine lets no pilot start in a spare; empty: it does, or that is not known."""

    def look(self, listed: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Take the spares out of a listing; returns the rest."""
        items, before = list(listed), self.seen
        self.seen = self._spares(filter(_is_spare, items))
        there = {labels_of(item).get(container_spec.NAME) for item in items}
        for spare in before:
            if spare.name not in there:  # it was discarded, or somebody else removed it
                self._features.remove(spare.name)
        present = {item["Id"] for item in items}
        self._began = {id_: each for id_, each in self._began.items() if id_ in present}
        self._let_go &= present
        return [item for item in items if not _is_spare(item)]

    def forget(self) -> None:
        """Take nothing for granted that was said over a connection which has failed."""
        self._let_go.clear()
        self.unusable = ""

    def _spares(self, items: Iterable[Mapping[str, Any]]) -> tuple[Spare, ...]:
        found = list(items)
        offset = self._clock.wall() - self._clock.now()
        surroundings = self._creator.surroundings() if found else ""
        return tuple(
            _spare_from(item, self.unusable or _outdated(item, surroundings, offset))
            for item in found
        )

    def take(
        self,
        client: DockerClient,
        profile: Profile,
        image_id: str,
        cpus: tuple[int, ...],
        held_to: float | None,
    ) -> Pilot | None:
        """Start a pilot in a spare; None if there is none that is just as the pilot is to be.

        Nor if this engine cannot make it so: then no spares are used until it is connected anew.
        """
        if not self._wanted() or not may_have_spare(profile):
            return None
        for spare in self._matching(client, profile, image_id):
            with suppress(docker.errors.APIError):
                client.rename(spare.id, spare.name)  # refused if it is no spare any more
                try:
                    return self._begin(client, spare, profile, cpus, held_to)
                except (ActionError, docker.errors.APIError) as error:
                    self.unusable = f"no pilot could start in a spare: {error}"[:300]
                    self._remove(client, spare.id, spare.name)
                    return None
        return None

    def _matching(self, client: DockerClient, profile: Profile, image_id: str) -> list[Spare]:
        wanted = {
            container_spec.INSTANCE: self._instance,
            container_spec.PROFILE: profile.name,
            container_spec.SPEC: spec_hash(profile),
        }
        labels = [f"{label}={value}" for label, value in wanted.items()]
        try:
            listed = client.containers(filters={"label": [*labels, container_spec.SPARE]})
            found = self._spares(filter(_is_spare, listed))
            image = image_id or (client.inspect_image(profile.image)["Id"] if found else "")
        except docker.errors.APIError:
            return []
        return [each for each in found if each.image_id == image and not each.outdated]

    def _begin(
        self,
        client: DockerClient,
        spare: Spare,
        profile: Profile,
        cpus: tuple[int, ...],
        held_to: float | None,
    ) -> Pilot:
        """Let a spare become its command."""
        cores = profile.cpus if held_to is None else held_to
        if cpus:
            bind_container(client, spare.id, cpus)
        if cores != profile.most_cores:  # what it was made with
            hold_container(client, spare.id, cores)
        wall = self._clock.wall()
        self._features.begin(spare.name, wall, profile.ttl)
        let_go(client, spare.id, wall + profile.ttl)
        self._began[spare.id] = wall
        self._let_go.add(spare.id)
        now = self._clock.now()
        return started_pilot(profile, spare.id, spare.name, spare.image_id, cpus, now)

    def discard(self, client: DockerClient, spare: Spare) -> None:
        """Remove a spare, by its name as a spare: gone, or a pilot meanwhile, is fine."""
        self._remove(client, f"{spare.name}{SPARE_SUFFIX}", spare.name)

    def _remove(self, client: DockerClient, container: str, name: str) -> None:
        try:
            client.remove_container(container, v=True, force=True)
        except docker.errors.NotFound:
            return
        self._features.remove(name)

    def as_pilot(
        self,
        client: DockerClient,
        item: Mapping[str, Any],
        state: PilotState,
        inspection: Inspection | None,
    ) -> tuple[Mapping[str, Any], Inspection | None]:
        """Return a listed pilot as if it had been made when it began, if it was a spare.

        Docker's own stamp, of the spare's start, stands in where that is not known. One that
        may not have been let go, because Plancton was killed just then, is.
        """
        labels = labels_of(item)
        if container_spec.SPARE not in labels or inspection is None:
            return item, inspection
        began = self._beginning(item) or inspection.started
        if began is None:
            return item, inspection
        deadline = began + number_label(labels, container_spec.TTL, 0.0)
        if state is PilotState.RUNNING and item["Id"] not in self._let_go:
            self._let_go.add(item["Id"])  # whatever comes of it: Docker may hang on this one
            with suppress(docker.errors.DockerException, requests.RequestException, OSError):
                let_go(client, item["Id"], deadline)
        labels = {**labels, container_spec.DEADLINE: f"{deadline:.3f}"}
        return {**item, "Labels": labels}, replace(inspection, started=began)

    def _beginning(self, item: Mapping[str, Any]) -> float | None:
        id_ = item["Id"]
        if id_ not in self._began:
            self._began[id_] = self._features.beginning(name_of(item))
        return self._began[id_]


def _is_spare(item: Mapping[str, Any]) -> bool:
    """Say whether an item of a listing is a spare, or what is left of one."""
    labels = labels_of(item)
    made_as = labels.get(container_spec.NAME)
    return container_spec.SPARE in labels and name_of(item) == f"{made_as}{SPARE_SUFFIX}"


def _spare_from(item: Mapping[str, Any], outdated: str) -> Spare:
    labels, image = labels_of(item), item.get("ImageID")
    return Spare(
        id=str(item["Id"]),
        name=str(labels[container_spec.NAME]),
        profile=str(labels.get(container_spec.PROFILE, "")),
        spec=str(labels.get(container_spec.SPEC, "")),
        image_id=image if isinstance(image, str) else "",
        ready=STATE_OF.get(str(item.get("State", "")).lower()) is PilotState.RUNNING,
        outdated=outdated,
    )


def _outdated(item: Mapping[str, Any], surroundings: str, offset: float) -> str:
    """Say what no longer holds that was written into a spare; empty: all does."""
    labels = labels_of(item)
    if labels.get(container_spec.VERSION) != __version__:
        return "another version of Plancton made it"
    if labels.get(container_spec.SPARE) != surroundings:
        return "what every pilot is given has changed"
    try:
        clock = float(labels.get(container_spec.CLOCK, "nan"))
    except ValueError:
        return "its labels make no sense"
    return "" if abs(clock - offset) <= _CLOCK_STEP else "the wall clock was set"
