"""Starts under way on real Docker, and what comes between."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
COUNT, PATIENCE = 20, 500
"""Pilots, and seconds for them: their starts are in the idle class, too."""
SMALL = {"memory": "10MB", "init": False}
SPAWN = {"maximum": COUNT, "min_room": 0.3, "overcommit": 10}


def filling(service: Service, containers: Containers, at_least: int = 3) -> None:
    """Start a service that fills the node, and wait until some pilots run and others start."""
    service.configure(SMALL, spawn=SPAWN)
    service.start()
    until(lambda: len(containers.names()) >= at_least)


def test_a_node_fills_with_starts_in_parallel(service: Service, containers: Containers) -> None:
    """No more than asked for, each counted once, and shown as starting before it runs."""
    filling(service, containers, 1)
    most = 0

    def full() -> bool:
        nonlocal most
        states = [pilot["state"] for pilot in service.status()["pilots"]]
        assert len(states) <= COUNT
        most = max(most, states.count("starting"))
        return states.count("running") == COUNT

    until(full, PATIENCE)
    assert most > 1
    assert len(containers.names(running=False)) == COUNT
    until(lambda: service.status()["spawned"] == COUNT)  # one may be seen before its start ends


def test_all_are_frozen_while_others_start(service: Service, containers: Containers) -> None:
    """The word holds for those that were starting, too."""
    filling(service, containers)
    done = service.run("freeze", "--all")
    while "unable to freeze" in done.stderr:  # a kernel gives up on a busy machine
        done = service.run("freeze", "--all")
    assert done.returncode == 0, done.stderr
    named = done.stdout.strip().removeprefix("frozen: ").split(", ")
    assert len(named) >= 3
    states = {pilot["name"]: pilot["state"] for pilot in service.status()["pilots"]}
    assert {states[name] for name in named if name in states} == {"frozen"}


def test_force_stop_ends_what_was_starting(service: Service, containers: Containers) -> None:
    """Nothing is left, not even what was only created."""
    filling(service, containers)
    assert service.run("force-stop").returncode == 0
    assert containers.names(running=False) == set()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_plancton_goes_on(
    service: Service, containers: Containers, number: signal.Signals
) -> None:
    """What was starting is adopted, or removed where it never ran; none is doubled."""
    filling(service, containers)
    assert service.process is not None
    service.process.send_signal(number)
    service.process.wait(30)
    service.start()
    until(lambda: len(containers.names()) == COUNT, PATIENCE)
    until(lambda: len(containers.names(running=False)) == COUNT)
    until(lambda: service.names() == containers.names())
