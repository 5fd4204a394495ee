"""Containers of an image that was made of a pilot (docker commit): they are somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import docker.errors
import pytest

from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient
from tests.conftest import INSTANCE, until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
IMAGE = f"{INSTANCE}-copy"


class Copies:
    """Makes an image of a pilot, and containers of that image, as somebody does by hand."""

    def __init__(self, client: DockerClient) -> None:
        """Use *client*."""
        self.client, self.ids = client, set[str]()

    def commit(self, pilot: str) -> None:
        """Make the image."""
        self.client.commit(pilot, IMAGE)

    def make(self, *command: str, start: bool = True) -> str:
        """Return the ID of a new container of the image."""
        id_ = str(self.client.create_container(IMAGE, list(command))["Id"])
        self.ids.add(id_)
        if start:
            self.client.start(id_)
        return id_

    def states(self) -> set[tuple[str, str]]:
        """Return ID and state of those that are there."""
        listed = self.client.containers(all=True, filters={"ancestor": IMAGE})
        return {(item["Id"], item["State"]) for item in listed}


@pytest.fixture
def copies(docker_client: DockerClient) -> Iterator[Copies]:
    """Return a maker of copies; they are gone afterwards."""
    made = Copies(docker_client)
    yield made
    for id_ in made.ids:
        with suppress(docker.errors.NotFound):
            docker_client.remove_container(id_, force=True)
    with suppress(docker.errors.NotFound):
        docker_client.remove_image(IMAGE, force=True)


def test_copies_of_a_pilot_are_left_alone(
    service: Service, containers: Containers, copies: Copies
) -> None:
    """Running, exited or only created: they are named with the reason, and nothing else."""
    service.configure({"command": "sleep 1000"}, spawn={"maximum": 1, "short_life": 0})
    service.start()
    until(service.names)
    (pilot,) = service.names()
    copies.commit(pilot)
    runs, exits = copies.make("sleep", "1000"), copies.make("true")
    waits = copies.make("true", start=False)
    expected = {(runs, "running"), (exits, "exited"), (waits, "created")}
    until(lambda: copies.states() == expected)
    labels = copies.client.inspect_container(runs)["Config"]["Labels"]
    assert labels[spec.INSTANCE] == service.instance
    until(lambda: sum("docker commit" in each for each in service.status()["warnings"]) == 3)
    assert service.names() == {pilot}
    assert pilot in service.ask("status")
    containers.client.kill(pilot)
    until(lambda: service.names() not in ({pilot}, set()))
    assert service.status()["evicted"] == 0
    assert service.run("force-stop", config=True).returncode == 0
    assert service.ended() == 0
    assert "0 pilots ended" in service.run("reap", "--all", config=True).stdout
    assert "0 pilots ended" in service.run("force-stop", config=True).stdout
    assert copies.states() == expected


def test_a_pilot_that_another_container_is_linked_to_stays_a_pilot(
    service: Service, copies: Copies
) -> None:
    """Docker then lists the link among the pilot's names."""
    service.configure({"network": "bridge"}, spawn={"maximum": 1})
    service.start()
    until(service.names)
    (pilot,) = service.names()
    client = copies.client
    links = client.create_host_config(links={pilot: "alias"})
    made = str(client.create_container("busybox", ["sleep", "99"], host_config=links)["Id"])
    copies.ids.add(made)
    client.start(made)
    tick = service.status()["tick"]
    until(lambda: service.status()["tick"] > tick + 1)
    assert service.names() == {pilot}
    assert service.status()["spawned"] == 1
    assert not any("left alone" in said for said in service.status()["warnings"])
