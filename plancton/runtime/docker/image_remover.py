"""Removes the images that Plancton brought and that nothing needs any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import docker.errors

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.pulled_image import PulledImage, RemovedImage
from plancton.engine.ports import Clock, RuntimeUnavailableError
from plancton.engine.rules import superseded_images as rules
from plancton.runtime.docker.client import DockerClient, open_client

log = logging.getLogger("plancton")

_TIMEOUT = 60.0
_PER_LOOK = 5
"""Removals in one look: pulls must not wait long for them."""
_FIRST_LOOK, _LONGEST_PAUSE = 10.0, 900.0


class PulledImageStore(Protocol):
    """Keeps which images are ours."""

    def load(self) -> rules.Pulled:
        """Return what was saved last; nothing if that cannot be read."""

    def save(self, images: rules.Pulled) -> None:
        """Save it; a failure is logged, never raised."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must stay."""

    keep: int
    """Superseded images of each reference."""
    pinned: frozenset[str]
    """IDs of images that this engine's starts may ask for."""


class ImageRemover:
    """Knows which images are ours, and removes them when their time has come.

    Docker itself refuses to remove what a container uses or another image is built upon: nothing
    is ever forced.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        store: PulledImageStore,
        needed_by_others: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """Remove from the engine at *url*; *needed_by_others* returns IDs of images."""
        self.url, self.clock, self.store = url, clock, store
        self.needed_by_others = needed_by_others
        self._pulled: rules.Pulled = store.load()
        self._due: rules.Pulled = ()
        self._looks, self._next_look = 0, 0.0

    def note_pull(
        self, before: frozenset[str], reference: str, was: str | None, now: str | None
    ) -> None:
        """Take note of a pull, see ``superseded_images.after_pull``."""
        self._keep(rules.after_pull(self._pulled, reference, before, was, now))

    def remove_due(
        self, wanted: Mapping[str, str | None], needs: Needs, stopping: Callable[[], bool]
    ) -> tuple[RemovedImage, ...]:
        """Look at what may go and remove some of it; failures are retried, ever more seldom."""
        wall = self.clock.wall()
        self._keep(rules.mark(self._pulled, wanted, wall))
        pinned = needs.pinned | {id_ for id_ in wanted.values() if id_}
        due = rules.removable(self._pulled, needs.keep, pinned, wall)
        if due != self._due:
            self._due, self._looks, self._next_look = due, 0, 0.0
        if not due or self.clock.now() < self._next_look:
            return ()
        self._looks += 1
        pause = backoff_delay(self._looks, _FIRST_LOOK, _LONGEST_PAUSE)
        self._next_look = self.clock.now() + pause
        removed: list[RemovedImage] = []
        try:
            with open_client(self.url, timeout=_TIMEOUT) as client:
                self._look(client, due, removed, stopping)
        except (RuntimeUnavailableError, docker.errors.APIError) as error:
            log.debug("images could not be removed", extra={"fields": {"error": str(error)}})
        self._forget(frozenset(image.id for image in removed))
        return tuple(removed)

    def _look(
        self,
        client: DockerClient,
        due: rules.Pulled,
        removed: list[RemovedImage],
        stopping: Callable[[], bool],
    ) -> None:
        used = {item.get("ImageID") for item in client.containers(all=True)}
        needed = self.needed_by_others()
        for image in due:
            if stopping() or len(removed) == _PER_LOOK:
                return
            if image.id not in used and image.id not in needed:
                self._remove(client, image, removed)

    def _remove(
        self, client: DockerClient, image: PulledImage, removed: list[RemovedImage]
    ) -> None:
        try:
            details = client.inspect_image(image.id)
            name = rules.name_to_remove(image, _on_node(client, image, details))
            if name is None:
                return
            history = client.history(image.id)  # type: ignore[no-untyped-call]
            answer = client.remove_image(name)
        except docker.errors.NotFound:
            self._forget(frozenset({image.id}))
        except docker.errors.APIError as error:
            fields = {"image": image.reference, "id": image.id, "error": str(error)}
            log.debug("an image could not be removed", extra={"fields": fields})
        else:
            if {"Deleted": image.id} in answer:
                freed = freed_bytes(image.id, answer, history)
                removed.append(RemovedImage(image.id, image.reference, freed))

    def _forget(self, ids: frozenset[str]) -> None:
        self._keep(tuple(image for image in self._pulled if image.id not in ids))

    def _keep(self, pulled: rules.Pulled) -> None:
        changed, self._pulled = pulled != self._pulled, pulled
        if changed:
            self.store.save(pulled)


def _on_node(client: DockerClient, image: PulledImage, details: Mapping[str, Any]) -> rules.OnNode:
    return rules.OnNode(
        tags=tuple(details.get("RepoTags") or ()),
        digests=tuple(details.get("RepoDigests") or ()),
        means=image_id(client, image.reference),
    )


def image_id(client: DockerClient, reference: str) -> str | None:
    """Return the ID of a local image, None if it is not there."""
    try:
        return str(client.inspect_image(reference)["Id"])
    except docker.errors.NotFound:
        return None


def freed_bytes(id_: str, answer: list[Any], history: list[Any]) -> int | None:
    """Return what a removal freed: the sizes of the layers that went with the image.

    Docker's *answer* names them, the topmost first, as *history* has them. Layers that other
    images share stay. None where the answer names no layers (Podman's).
    """
    deleted = [item["Deleted"] for item in answer if "Deleted" in item]
    layers = [size for item in history if (size := int(item.get("Size") or 0))]
    gone = len([each for each in deleted if each != id_])
    return sum(layers[:gone]) if gone else None
