"""Pilots that may use idle cores beyond their promise, as Docker and the kernel have it."""

from __future__ import annotations

import math

import pytest

from tests.conftest import kernel_quota, until
from tests.e2e.conftest import Containers
from tests.e2e.service import CORES, Service

pytestmark = pytest.mark.docker
BEYOND = "cpu limit   pilots may use idle cores beyond those promised to them"
FREE = {"cpu_limit": "none"}
BURN = "while :; do :; done"


def quotas(containers: Containers) -> list[float]:
    """Return the cores that the kernel lets each pilot use."""
    return [kernel_quota(containers.client, id_) for id_ in containers.ids()]


def test_quotas_follow_what_is_in_force_and_survive_a_crash(
    service: Service, containers: Containers
) -> None:
    """None at the start; the promise while cores are to stay free; then none again."""
    one, kept = {"maximum": 1}, {"maximum": 1, "reserve": 0.5}
    service.configure(FREE, spawn=one)
    service.start()
    until(lambda: quotas(containers) == [math.inf])
    until(lambda: BEYOND in service.ask("status"))
    ids = containers.ids()
    said = service.run("config", "check", config=True).stdout
    assert "cpu_limit of default: 1 cores promised, and all that are idle\n" in said
    service.configure(FREE, spawn=kept)
    until(lambda: quotas(containers) == [1.0])
    text = "pilots are held to the cores promised to them: spawn.ceiling or spawn.reserve keeps"
    until(lambda: f"cpu limit   {text}" in service.ask("status"))
    assert text in service.ask("events")
    assert "idle; not here: spawn.ceiling or" in service.run("config", "check", config=True).stdout
    service.close()  # killed
    service.configure(spawn=one)
    service.start()
    until(lambda: quotas(containers) == [math.inf])
    assert containers.ids() == ids
    (pilot,) = service.status()["pilots"]
    assert (pilot["cpus"], pilot["cpu_limit"]) == (1.0, CORES)
    assert service.status()["committed"] == 1.0
    assert service.stop() == 0


@pytest.mark.quiet
@pytest.mark.skipif(CORES < 2, reason="with one core there is nothing beyond the promise")
def test_one_pilot_uses_the_idle_cores_and_is_not_taken_for_the_owner(
    measuring: Service, containers: Containers
) -> None:
    """On a machine with nothing else to do: all that it uses counts as its own."""
    service = measuring
    burn = " & ".join([BURN] * CORES)
    service.configure({**FREE, "command": ["sh", "-c", burn]}, spawn={"maximum": 1})
    service.start()
    until(lambda: service.status()["load"] and service.status()["load"]["own"] > 0.8 * CORES)
    status = service.status()
    assert status["load"]["foreground"] < 0.2 * CORES
    (pilot,) = status["pilots"]
    assert pilot["cpu"] > 1.2
    assert pilot["efficiency"] <= 1.0
    assert (status["committed"], status["frozen"]) == (1.0, 0)
    assert service.run("force-stop").returncode == 0
    assert containers.ids() == set()
