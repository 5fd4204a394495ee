"""A service of its own for each test."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker.errors
import pytest
from docker.errors import APIError

from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.creator import SPARE_SUFFIX
from tests.conftest import until
from tests.e2e.docker_proxy import DockerProxy
from tests.e2e.registry import Registry
from tests.e2e.service import Service


@pytest.fixture
def service(tmp_path: Path, instance: str) -> Iterator[Service]:
    """Return a configured service on the machine's Docker Engine; it is stopped afterwards."""
    made = Service(tmp_path, instance)
    yield made
    made.close()


@pytest.fixture
def measuring(tmp_path: Path, instance: str) -> Iterator[Service]:
    """Return a service that measures the machine as it is: for tests that run alone."""
    made = Service(tmp_path, instance, measures=True)
    yield made
    made.close()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return busybox as a file."""
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    subprocess.run(["docker", "-H", docker_url(), "save", "-o", str(path), "busybox"], check=True)
    return path


@pytest.fixture
def proxy() -> Iterator[DockerProxy]:
    """Return a proxy that behaves."""
    with tempfile.TemporaryDirectory() as folder:
        made = DockerProxy(Path(folder, "d.sock"), Path(docker_url().removeprefix("unix://")))
        yield made
        made.close()


@pytest.fixture
def registry(tmp_path: Path, docker_client: DockerClient) -> Iterator[Registry]:
    """Return a running registry; its images are gone afterwards."""
    made = Registry(tmp_path, docker_client)
    made.start()
    yield made
    made.stop()
    for id_ in made.pushed:
        with suppress(docker.errors.ImageNotFound):
            docker_client.remove_image(id_, force=True)


@pytest.fixture
def containers(docker_client: DockerClient, instance: str) -> Containers:
    """Return a look at the instance's containers past Plancton."""
    return Containers(docker_client, instance)


class Containers:
    """What Docker itself says of an instance."""

    def __init__(self, client: DockerClient, instance: str) -> None:
        """Look at *instance* by *client*."""
        self.client, self.instance = client, instance

    def ids(self) -> set[str]:
        """Return the IDs of the pilots that run."""
        return {id_ for id_, name in self._listed().items() if not name.endswith(SPARE_SUFFIX)}

    def names(self, *, running: bool = True) -> set[str]:
        """Return the names of the pilots that run; of all its containers if not *running*."""
        listed = set(self._listed(every=not running).values())
        return {name for name in listed if not running or not name.endswith(SPARE_SUFFIX)}

    def spares(self) -> set[str]:
        """Return the names of the spares that are held."""
        return {name for name in self._listed().values() if name.endswith(SPARE_SUFFIX)}

    def _listed(self, *, every: bool = False) -> dict[str, str]:
        filters = {"label": f"{spec.INSTANCE}={self.instance}"}
        return {
            item["Id"]: next(iter(item["Names"] or ()), "").lstrip("/")
            for item in self.client.containers(all=every, filters=filters)
        }

    def leave(self) -> None:
        """Have all pilots end by themselves, as they do when their work is done."""
        those = self.ids()
        until(lambda: not self._told_to_end(those))

    def _told_to_end(self, those: set[str]) -> set[str]:
        """Send SIGTERM to who is still there: what just starts may not hear the first one."""
        left = self.ids() & those
        for id_ in left:
            with suppress(APIError):  # it has ended meanwhile
                self.client.kill(id_, "SIGTERM")
        return left
