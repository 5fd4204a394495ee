"""Docker, and Podman by its socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import docker.errors

from plancton.config.schema import Config
from plancton.engine.ports import ActionError
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import DockerClient, api_error_text, translate_errors
from plancton.runtime.docker.disk_meter import DiskMeter
from plancton.runtime.docker.engine_url import EngineUrl
from plancton.runtime.docker.events import EventListener
from plancton.runtime.docker.image_remover import ImageRemover
from plancton.runtime.docker.images import DockerImages
from plancton.runtime.docker.instances import running_pilots
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.service.container_engines.port import Helper, RuntimeParts
from plancton.service.process.clock import SystemClock
from plancton.service.process.paths import Paths
from plancton.service.state_file import PulledImagesFile, good_images_of_others

_TIMEOUT = 30


class DockerEngine:
    """Implements ``ContainerEngine``."""

    def __init__(self, url: EngineUrl) -> None:
        """Use the engine at *url*."""
        self.url = url
        self._disk = DiskMeter(url)

    def parent(self, instance: str) -> ParentCgroup:
        """Return the parent of an instance's containers."""
        return ParentCgroup(instance)

    def learn(self, parent: ParentCgroup) -> str:
        """Ask Docker."""
        runtime = DockerRuntime(self.url, "", SystemClock(), parent)
        try:
            runtime.check()
        finally:
            runtime.close()
        return runtime.data_root

    def runtime(self, parts: RuntimeParts) -> DockerRuntime:
        """Return an instance's containers."""
        config = parts.config
        return DockerRuntime(
            self.url,
            parts.instance,
            parts.clock,
            parts.parent,
            oom_score_adj=lambda: config().protect.oom_score_adj,
            features=parts.features,
            disk=self._disk,
            network=parts.network,
            docker_config=config().image.docker_config,
            node=parts.node,
            frozen_may_swap=lambda: config().protect.memory.reclaim_below != "off",
            use_spares=lambda: config().spawn.spare,
        )

    def images(self, instance: str, paths: Paths, config: Config) -> DockerImages:
        """Return the images that Docker has."""
        clock, state = SystemClock(), paths.state_file(instance)
        pulled = PulledImagesFile(paths.pulled_images(instance), self.url)
        remover = ImageRemover(self.url, clock, pulled, lambda: good_images_of_others(state))
        return DockerImages(self.url, clock, config.image.docker_config, remover)

    def helpers(self, instance: str, wake: Callable[[str], None]) -> Mapping[str, Helper]:
        """Return what listens to Docker's events, and what measures disk."""
        return {"events": EventListener(self.url, instance, wake), "disk": self._disk}

    def output(self, id_: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield a container's log, by a client of its own."""
        client = None
        try:
            with translate_errors(self.url):
                client = DockerClient(self.url, timeout=_TIMEOUT)
                chunks = client.logs(id_, tail=tail, follow=follow, stream=True)
                return _Output(client, chunks)
        except BaseException as error:
            if client is not None:
                client.close()
            if isinstance(error, docker.errors.APIError):
                raise ActionError(api_error_text(error)) from error
            raise

    def running_pilots(self) -> Mapping[str, int]:
        """Return how many pilots of each instance run."""
        return running_pilots(self.url)


class _Output(Iterator[bytes]):
    """What a pilot wrote, by a client of its own, which ends with it."""

    def __init__(self, client: DockerClient, chunks: Any) -> None:
        self._client, self._chunks = client, chunks

    def __next__(self) -> bytes:
        try:
            return bytes(next(self._chunks))
        except StopIteration:
            self._client.close()
            raise

    def close(self) -> None:
        """End it, also while another thread waits for more, which has no time-out."""
        with suppress(OSError, docker.errors.DockerException):  # it has ended, or goes over ssh
            self._chunks.close()
        self._client.close()
