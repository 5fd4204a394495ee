"""Spares on real Docker: taken by the next pilot, made anew, and never left behind."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from plancton.runtime.docker import container_spec as spec
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
SPAWN = {"maximum": 1, "spare": True, "short_life": 0, "min_room": 0.3}


def began(service: Service, containers: Containers, **pilot: Any) -> str:
    """Start a service that keeps spares; returns the name of its spare once it has one."""
    service.configure({"features": True, **pilot}, spawn=SPAWN)
    service.start()
    return held(containers)


def held(containers: Containers, other: str = "") -> str:
    """Wait for the one spare, another than *other*, and return its name once it is held."""
    until(lambda: len(containers.spares()) == 1 and containers.spares() != {other})
    (name,) = containers.spares()
    return name


def test_the_next_pilot_starts_in_the_spare(service: Service, containers: Containers) -> None:
    """It is shown, counted, listed and ended as any other, and so is not the spare."""
    command = "echo until $PLANCTON_DEADLINE; cat /plancton/jobfeatures/jobstart_secs; sleep 999"
    spare = began(service, containers, command=["sh", "-c", command], ttl="500s")
    assert len(containers.names()) == 1
    assert service.names() == containers.names()
    assert spare not in service.ask("pilots")
    (victim,) = containers.names()
    time.sleep(2)
    containers.client.kill(victim)
    name = spare.removesuffix(".spare")
    until(lambda: service.names() == {name})
    assert containers.names() == {name}
    until(lambda: len(containers.client.logs(name).split()) == 3)
    _, told, start = containers.client.logs(name).split()
    assert int(told) - int(start) == 500
    assert abs(time.time() - int(start)) < 60
    shown = next(p for p in service.status()["pilots"] if p["name"] == name)
    assert 400 < shown["ttl_left"] < 501
    assert service.status()["spawned"] == 2
    held(containers, spare)
    service.ask("kill", name)
    until(lambda: containers.names() - {name})
    assert service.run("force-stop").returncode == 0
    assert containers.names(running=False) == set()


def test_a_changed_profile_has_another_spare(service: Service, containers: Containers) -> None:
    """And so has a clock label that no longer holds, or any of what every pilot is given."""
    spare = began(service, containers)
    service.configure({"memory": "60MB"}, spawn=SPAWN)
    service.ask("reload")
    other = held(containers, spare)
    service.configure({"memory": "60MB"}, spawn=SPAWN, protect={"oom_score_adj": 900})
    service.ask("reload")
    last = held(containers, other)
    inspected = containers.client.inspect_container(last)
    assert inspected["HostConfig"]["OomScoreAdj"] == 900
    assert inspected["HostConfig"]["Memory"] == 60_000_000


def test_it_goes_with_a_drain_and_with_the_end(service: Service, containers: Containers) -> None:
    """The pilots run on, alone; resume brings a spare back."""
    began(service, containers)
    service.ask("drain")
    until(lambda: not containers.spares())
    (pilot,) = containers.names()
    service.ask("resume")
    held(containers)
    assert service.stop() == 0
    assert containers.names(running=False) == {pilot}


def test_a_killed_plancton_finds_it_again_or_reap_removes_it(
    service: Service, containers: Containers
) -> None:
    """What still fits is used; ``reap`` and ``force-stop`` know it."""
    spare = began(service, containers)
    service.stop(signal.SIGKILL)
    assert containers.spares() == {spare}
    service.start()
    until(lambda: service.status()["load"])  # it may start pilots
    (victim,) = containers.names()
    containers.client.kill(victim)
    until(lambda: spare.removesuffix(".spare") in containers.names())
    held(containers, spare)
    service.stop(signal.SIGKILL)
    assert service.run("reap", config=True).returncode == 0
    assert containers.spares() == set()
    assert containers.names() == {spare.removesuffix(".spare")}
    service.start()
    held(containers)
    service.stop(signal.SIGKILL)
    assert service.run("force-stop", config=True).returncode == 0
    assert containers.names(running=False) == set()


def test_one_that_was_not_let_go_is(service: Service, containers: Containers) -> None:
    """Killed between the two steps, the rename and the word: the next start says it."""
    spare = began(service, containers, command=["sh", "-c", "echo hello; sleep 999"])
    service.stop(signal.SIGKILL)
    (first,) = containers.names()
    containers.client.remove_container(first, force=True)
    name = spare.removesuffix(".spare")
    containers.client.rename(spare, name)
    assert containers.client.logs(name) == b""
    service.start()
    until(lambda: containers.client.logs(name) == b"hello\n")
    assert service.names() == {name}


def test_a_spare_that_ends_is_replaced_after_a_while(
    service: Service, containers: Containers
) -> None:
    """Somebody removed it by hand; meanwhile pilots start as ever."""
    spare = began(service, containers)
    (victim,) = containers.names()
    containers.client.kill(spare)
    until(lambda: not containers.spares())
    containers.client.kill(victim)
    until(lambda: containers.names() - {victim})
    until(lambda: service.status()["spawned"] == 2)
    assert spare.removesuffix(".spare") not in containers.names()


def test_an_image_that_cannot_be_held_has_no_spare(
    service: Service, containers: Containers
) -> None:
    """A shell would drop a variable of it: that is told, and pilots start as ever."""
    client, image = containers.client, f"{service.instance}-odd"
    made = client.create_container("busybox:latest")["Id"]
    try:
        client.commit(made, image, changes=["ENV a.b=1"])
        service.configure({"image": image}, spawn=SPAWN, image={"pull": False})
        service.start()
        until(lambda: "no spare made" in service.ask("events"))
        assert "environment variable a.b" in service.ask("events")
        (victim,) = containers.names()
        client.kill(victim)
        until(lambda: containers.names() - {victim})
        assert containers.spares() == set()
    finally:
        service.close()
        for name in {made, *containers.names(running=False)}:
            client.remove_container(name, force=True)
        client.remove_image(image, force=True)


def test_it_carries_the_labels_by_which_people_find_it(
    service: Service, containers: Containers
) -> None:
    """``docker ps --filter label=io.plancton.spare`` shows what is, or was, a spare."""
    spare = began(service, containers)
    listed = containers.client.containers(filters={"label": spec.SPARE})
    assert f"/{spare}" in {name for each in listed for name in each["Names"]}
