"""contrib/swarm.yml on a swarm of two engines: it comes, is changed, and goes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until
from tests.examples.fleet import Fleet, Machine

# Pilots are in the idle class: on a busy machine each start takes its time.
PATIENCE = 240.0
pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Return a swarm of one node with Plancton on it, and a machine beside."""
    made = Fleet(Path(tempfile.mkdtemp(prefix="plancton-")))
    try:
        made.start()
        made.configure("kill", 1)
        made.deploy("plancton:1", 1)
        until(made.manager.pilots, PATIENCE)
        made.join(made.machines[1])
        yield made
    finally:
        made.close()


def test_a_node_that_joins_gets_it(fleet: Fleet) -> None:
    """With the fleet's configuration, under the node's name, and in the idle class."""
    _, second = fleet.machines
    until(second.pilots, PATIENCE)
    status = second.status()
    assert (status["node"], status["mode"]) == (second.name, "active")
    assert status["protection"] == "idle class"
    assert status["host"]["disk_free"] > 0


def test_a_change_at_the_source_drains_all_without_a_restart(fleet: Fleet) -> None:
    """No pilots on both, by the same two processes."""
    settle(fleet)
    before = [machine.plancton() for machine in fleet.machines]
    fleet.configure("kill", 0)
    until(lambda: not any(machine.pilots() for machine in fleet.machines), PATIENCE)
    assert [machine.plancton() for machine in fleet.machines] == before


def test_an_image_and_the_local_part_are_rolled_out_under_running_pilots(fleet: Fleet) -> None:
    """With ``on_stop: leave`` the next Plancton adopts them."""
    settle(fleet, "leave")
    before = [machine.pilots() for machine in fleet.machines]
    fleet.deploy("plancton:2", 2, spawn={"maximum": 2})
    for machine, had in zip(fleet.machines, before, strict=True):
        until(lambda m=machine: len(m.pilots()) == 2, PATIENCE)  # type: ignore[misc]
        assert had < machine.pilots()
        (id_,) = machine.plancton()
        assert machine.docker("inspect", "-f", "{{.Config.Image}}", id_) == "plancton:2"


def test_a_drained_node_loses_its_plancton_and_its_pilots(fleet: Fleet) -> None:
    """With ``on_stop: kill``; the other goes on, and an active node has them again."""
    first, second = fleet.machines
    settle(fleet, "kill")
    (id_,) = second.plancton()
    others = first.plancton() | first.pilots()
    fleet.manager.docker("node", "update", "--availability", "drain", second.name)
    until(lambda: not second.plancton(), PATIENCE)
    assert second.pilots() == set()
    assert second.docker("inspect", "-f", "{{.State.ExitCode}}", id_) == "0"
    assert first.plancton() | first.pilots() == others
    fleet.manager.docker("node", "update", "--availability", "active", second.name)
    settle(fleet)


def test_a_label_takes_plancton_off_a_node(fleet: Fleet) -> None:
    """With ``on_stop: leave`` the pilots run on, and are adopted when it comes back."""
    second = fleet.machines[1]
    settle(fleet, "leave")
    pilots = second.pilots()
    fleet.manager.docker("node", "update", "--label-add", "plancton=off", second.name)
    until(lambda: not second.plancton(), PATIENCE)
    assert second.pilots() == pilots
    fleet.manager.docker("node", "update", "--label-rm", "plancton", second.name)
    settle(fleet)
    assert second.pilots() == pilots


def settle(fleet: Fleet, on_stop: str = "kill") -> None:
    """Wait until both nodes have their pilots, and what shall become of them at an end."""
    fleet.configure(on_stop, 1)
    until(lambda: all(_settled(machine, on_stop) for machine in fleet.machines), PATIENCE)


def _settled(machine: Machine, on_stop: str) -> bool:
    told = machine.told()
    return bool(
        told
        and told["node.on_stop"] == on_stop
        and len(machine.pilots()) == int(told["spawn.maximum"])
    )
