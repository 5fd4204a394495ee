"""What a bad day does to the engine, on a simulated node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import PilotState
from tests.scenario.rig import Rig

AWAY = "Docker does not run at unix:///x: start it"


def test_waits_for_docker_at_start_and_goes_on_when_it_comes() -> None:
    """Says so meanwhile, with the reason."""
    rig = Rig(4)
    rig.node.down = AWAY
    rig.run(120)
    assert rig.latest.degraded == AWAY
    assert rig.node.requests < 15
    rig.node.down = ""
    rig.run(40)
    assert rig.running == 4
    assert rig.latest.degraded == ""


@pytest.mark.parametrize("mode", [Mode.STOPPING, Mode.ENDING, Mode.FORCED])
def test_an_error_is_never_zero_running(mode: Mode) -> None:
    """While nothing can be seen nothing is started, and drain-stop does not end as if drained."""
    rig = Rig(4)
    rig.node.lifetime = lambda _: 1e9
    rig.run(20)
    rig.node.down = AWAY
    rig.run(300)
    assert len(rig.latest.pilots) == 4
    rig.word.value = mode
    rig.run(300)
    assert not rig.engine.finished
    rig.node.down = ""
    assert rig.node.started == 4


def test_the_operators_word_shows_while_docker_is_away() -> None:
    """From the start on, too: who drains a broken node sees that it was heard."""
    rig = Rig(4)
    rig.node.down = AWAY
    rig.run(10)
    rig.word.value = Mode.DRAINING
    rig.run(40)
    assert (rig.latest.degraded, rig.latest.mode) == (AWAY, Mode.DRAINING)


def test_full_house_survives_a_restart_of_docker() -> None:
    """Pilots that ran on are adopted, those that died are replaced, none is doubled."""
    rig = Rig(4)
    rig.node.lifetime = lambda _: 1e9
    rig.run(20)
    rig.node.down = AWAY
    rig.run(60)
    for pilot in rig.node.running()[:2]:
        rig.node.set_state(pilot.id, PilotState.EXITED)
        container = rig.node.containers[pilot.id]
        container.pilot = replace(container.pilot, finished_at=rig.node.now(), exit_code=137)
    rig.node.down = ""
    rig.run(60)
    assert rig.running == 4
    assert rig.node.started == 6


def test_a_start_that_times_out_is_neither_doubled_nor_leaked() -> None:
    """The container may exist: it is seen, counted, and reaped if it never starts."""
    rig = Rig(2)
    rig.node.lifetime = lambda _: 1e9
    rig.node.hangs_on_start = True
    rig.run(20)
    assert len(rig.node.containers) == 2
    rig.node.hangs_on_start = False
    rig.run(200)
    assert rig.running == 2
    assert all(c.pilot.state is PilotState.RUNNING for c in rig.node.containers.values())


def test_nameless_and_half_removed_containers_are_taken_as_they_are() -> None:
    """They have no name; they are known by label and ID."""
    rig = Rig(2)
    rig.run(20)
    first, second = rig.node.running()
    for pilot, state in ((first, PilotState.DEAD), (second, PilotState.REMOVING)):
        container = rig.node.containers[pilot.id]
        container.pilot = replace(pilot, state=state, name="")
    rig.run(10)
    assert first.id not in rig.node.containers
    assert rig.running == 2
    rig.word.value = Mode.STOPPING
    rig.run(100)
    assert rig.engine.finished


def test_a_victim_that_has_gone_meanwhile_is_no_error() -> None:
    """Somebody else removed it between the look and the kill."""
    rig = Rig(2, pilots=[{"ttl": "30s"}])
    rig.node.lifetime = lambda _: 1e9
    rig.run(29)
    seen = rig.node.pilots()
    rig.node.containers.clear()
    rig.node.terminate(seen[0])
    rig.run(30)
    assert rig.running == 2


def test_a_bad_expression_keeps_the_last_maximum() -> None:
    """One that has no value on this node changes nothing, and is said."""
    rig = Rig(4, spawn={"maximum": 3})
    rig.node.lifetime = lambda _: 1e9
    rig.run(20)
    rig.settings.set(spawn={"maximum": "ncpus / swap_bytes"})
    rig.run(60)
    assert rig.running == 3
    assert any("spawn.maximum" in warning for warning in rig.latest.warnings)


def test_a_stepped_node_of_changing_size_is_followed() -> None:
    """Cores that come and go change the maximum and the room."""
    rig = Rig(4, spawn={"maximum": "ncpus"})
    rig.node.lifetime = lambda _: 1e9
    rig.run(20)
    rig.node.ncpus = 2
    rig.run(30)
    assert rig.running == 2
    rig.node.ncpus = 8
    rig.run(60)
    assert rig.running == 8


def test_requests_a_tick_do_not_grow_with_pilots() -> None:
    """Steady state costs one look, whatever the number of pilots."""
    counts = []
    for ncpus in (1, 10, 100):
        rig = Rig(ncpus, spawn={"per_tick": 100})
        rig.node.lifetime = lambda _: 1e9
        rig.run(60)
        before = rig.node.requests
        rig.engine.step()
        counts.append(rig.node.requests - before)
        assert rig.running == ncpus
    assert counts == [1, 1, 1]
