"""Images of a Docker Engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import docker.errors
from docker.utils import parse_repository_tag

from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.ports import Clock, RuntimeUnavailableError
from plancton.runtime.docker.client import DockerClient, api_error_text, open_client
from plancton.runtime.docker.credentials import Credentials, credentials_for
from plancton.runtime.docker.image_platform import foreign_platform
from plancton.runtime.docker.image_remover import ImageRemover, Needs, image_id
from plancton.runtime.image_puller import ImagePuller, ImageStore, PullError

_PULL_TIMEOUT = 600.0


class DockerImages(ImagePuller):
    """Implements ``ports.Images`` on a Docker Engine."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        docker_config: str = "",
        remover: ImageRemover | None = None,
    ) -> None:
        """Keep images of the engine at *url*; *remover* removes them when they are old."""
        super().__init__(clock)
        self.url, self.remover = url, remover
        self.docker_config = docker_config or None

    @contextmanager
    def store(self) -> Iterator[ImageStore]:
        """Connect to the engine."""
        try:
            with open_client(self.url, timeout=_PULL_TIMEOUT) as client:
                yield DockerImageStore(client, self)
        except docker.errors.APIError as error:
            raise RuntimeUnavailableError(str(error)) from error

    def remove_superseded(
        self, wanted: Mapping[str, str | None], keep: int, pinned: frozenset[str]
    ) -> tuple[RemovedImage, ...]:
        """Have the remover do it, if there is one."""
        if self.remover is None:
            return ()
        return self.remover.remove_due(wanted, Needs(keep, pinned), lambda: self.stopping)


class DockerImageStore:
    """Implements ``ImageStore`` by a connection to Docker."""

    def __init__(self, client: DockerClient, images: DockerImages) -> None:
        """Pull as *images* are to be; its remover is told."""
        self._client, self._images = client, images

    def id_of(self, reference: str) -> str | None:
        """Return the ID of an image that is on the node."""
        return image_id(self._client, reference)

    def pull(self, reference: str, local_id: str | None) -> str:
        """Pull an image with the credentials there are."""
        images = self._images
        credentials = credentials_for(reference, images.docker_config, lambda: images.stopping)
        without = f"without credentials: {credentials.trouble}" if credentials.trouble else ""
        before = _all_ids(self._client)
        try:
            pull(self._client, reference, credentials)
        except PullError as error:
            raise PullError(f"{error} (tried {without})" if without else str(error)) from error
        if images.remover is not None:
            images.remover.note_pull(before, reference, local_id, self.id_of(reference))
        return without and f"it was pulled {without}"

    def note(self, id_: str | None) -> str:
        """Say if an image is for another kind of machine."""
        return foreign_platform(self._client, id_) if id_ else ""


def _all_ids(client: DockerClient) -> frozenset[str]:
    """Return the IDs of all images, those without a name and intermediate ones included."""
    return frozenset(str(item.get("Id")) for item in client.images(all=True))


def pull(client: DockerClient, reference: str, credentials: Credentials) -> None:
    """Pull an image; PullError says why it cannot be, in the registry's words."""
    repository, tag = parse_repository_tag(reference)
    end = time.monotonic() + _PULL_TIMEOUT
    tag, auth = tag or "latest", credentials.auth
    try:
        messages = client.pull(repository, tag=tag, stream=True, decode=True, auth_config=auth)
        for message in messages:
            if "error" in message:
                raise PullError(_in_words(str(message["error"])))
            if time.monotonic() > end:
                raise PullError(f"the pull was not done after {_PULL_TIMEOUT:g} s")
    except docker.errors.APIError as error:
        raise PullError(_in_words(api_error_text(error))) from error


def _in_words(error: str) -> str:
    other = "no matching manifest for" in error
    before = "the registry has it for other kinds of machines only: " if other else ""
    return before + " ".join(error.split())[:300]
