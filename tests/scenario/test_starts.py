"""Starts that take their time, on a simulated node and clock."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.engine.actuator import LAST_STARTS
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import PilotState
from plancton.engine.ports import RuntimeUnavailableError
from plancton.engine.rules.spawn import MOST_STARTS, SLOW_START
from tests.scenario.rig import Rig

SLOW = 3.0
"""Seconds that a start takes here."""


def rig_of(ncpus: int = 4, delay: float = SLOW, **groups: Any) -> Rig:
    """Return a node with starts under way: four at a time."""
    rig = Rig(ncpus, **groups)
    rig.node.lifetime = lambda _: 1e9
    rig.node.start_delay = delay
    while not rig.starter.under_way:
        rig.run(0.5)
    return rig


def states(rig: Rig) -> list[str]:
    """Return the states that the snapshot shows."""
    return [pilot.state for pilot in rig.latest.pilots]


def test_a_tick_waits_for_no_start() -> None:
    """Four begin in one tick, which takes no time; they are shown, and come up together."""
    rig = rig_of()
    began = rig.node.now()
    rig.engine.step()
    assert rig.node.now() == began
    assert states(rig) == ["starting"] * 4
    rig.run(SLOW + 0.1)
    assert states(rig) == ["running"] * 4
    assert rig.node.started == 4
    assert (rig.latest.spawned, rig.latest.ledger.total.started) == (4, 4)
    started = [d for d in rig.latest.decisions if d.did == "started"]
    assert {d.subject for d in started} == {p.name for p in rig.latest.pilots}


@pytest.mark.parametrize(("ncpus", "at_once"), [(2, 2), (8, 4), (64, 8), (256, 16)])
def test_so_many_start_at_a_time(ncpus: int, at_once: int) -> None:
    """One for eight cores, four at least, 16 at most; the others as soon as one is up."""
    rig = rig_of(ncpus, pilots=[{"memory": "500MB"}])
    assert len(rig.starter.under_way) == at_once
    rig.run(SLOW / 2)
    assert len(rig.starter.under_way) == at_once
    rig.run(SLOW * (ncpus / at_once) + 1)
    assert rig.running == ncpus
    assert rig.node.started == ncpus


def test_a_large_node_fills_as_fast_as_starts_allow() -> None:
    """Of 256 pilots 16 are starting at any time, whatever the interval is."""
    rig = rig_of(256, 0.2, node={"interval": "60s"}, pilots=[{"memory": "500MB"}])
    rig.run(256 / 16 * 0.2 + 0.5)
    assert rig.running == 256


def test_starts_under_way_are_never_too_many() -> None:
    """Neither for the node's maximum, nor for a profile's, nor for the room, nor for the memory."""
    small = {"cpus": 1, "memory": "1GB"}
    for groups, most in (
        ({"spawn": {"maximum": 3}}, 3),
        ({"pilots": [{**small, "maximum": 2}]}, 2),
        ({"pilots": [{"cpus": 2}], "spawn": {"maximum": 9}}, 2),
        ({"pilots": [{**small, "memory": "80GB"}]}, 2),
    ):
        rig = rig_of(4, **groups)
        for _ in range(20):
            rig.run(0.5)
            assert len(rig.node.containers) <= most
            assert rig.latest.committed <= 4
        assert rig.running == most


@pytest.mark.parametrize("mode", [Mode.FORCED, Mode.ENDING])
def test_what_comes_up_after_the_word_to_end_is_ended(mode: Mode) -> None:
    """The engine ends only then; nothing is left."""
    rig = rig_of()
    rig.word.value = mode
    rig.run(1)
    assert not rig.engine.finished
    rig.run(60)
    assert rig.engine.finished
    assert rig.node.started == 4
    assert not rig.node.containers


def test_a_drain_lets_those_under_way_come_up_and_no_more() -> None:
    """And drain-stop waits for them."""
    rig = rig_of(8)
    rig.word.value = Mode.STOPPING
    rig.run(30)
    assert (rig.running, rig.node.started) == (4, 4)
    assert not rig.engine.finished


@pytest.mark.parametrize("command", [PilotCommand.KILL, PilotCommand.FREEZE])
def test_a_command_for_a_pilot_that_is_starting_waits_for_it(command: PilotCommand) -> None:
    """It is named before it has an ID; also a restart keeps what is to stay frozen."""
    rig = rig_of(1, spawn={"maximum": 1})
    (starting,) = rig.latest.pilots
    rig.engine.command_pilot(starting.id, command)
    rig.engine.turn(0)
    rig.run(SLOW + 0.1)
    verb = command.value
    assert rig.node.actions[0] == f"{verb} {starting.name}"
    if command is PilotCommand.FREEZE:
        rig.run(30)
        assert states(rig) == ["frozen"]


def test_a_command_for_a_start_that_fails_is_forgotten() -> None:
    """There is nobody to obey it."""
    rig = rig_of(1)
    (starting,) = rig.latest.pilots
    rig.engine.command_pilot(starting.id, PilotCommand.FREEZE)
    rig.engine.turn(0)
    rig.node.refuses = "no"
    rig.run(SLOW + 0.1)
    assert rig.engine._observer.commands == {}


def test_freezes_and_kills_are_not_queued_behind_starts() -> None:
    """They are done while others start."""
    rig = rig_of(8)
    rig.run(SLOW + 0.1)
    assert len(rig.starter.under_way) == 4
    rig.node.actions.clear()
    before = rig.node.now()
    for pilot in rig.node.running():
        rig.engine.command_pilot(pilot.id, PilotCommand.FREEZE)
    rig.engine.turn(0)
    assert rig.node.now() == before
    assert [a.split()[0] for a in rig.node.actions[:4]] == ["freeze"] * 4
    assert states(rig).count("frozen") == 4


def test_pressure_lets_nothing_new_begin() -> None:
    """What is under way comes up, counts, and is frozen with the others."""
    rig = rig_of(8, protect={"freeze_after": "5s"})
    rig.node.foreground = 8.0
    rig.run(4 * SLOW)
    assert rig.node.started <= 8
    rig.run(30)
    assert rig.running == 0
    assert set(states(rig)) == {"frozen"}


def test_a_changed_configuration_leaves_starts_alone_and_counts_them() -> None:
    """A lowered maximum ends the youngest when they are up."""
    rig = rig_of(4)
    rig.settings.set(spawn={"maximum": 1})
    rig.run(1)
    assert states(rig) == ["starting"] * 4
    rig.run(60)
    assert rig.running == 1
    assert rig.node.started == 4


def test_a_container_listed_before_the_outcome_is_counted_once() -> None:
    """Created it belongs to its start; running it is a pilot, and its start counts no more."""
    rig = rig_of(2)
    rig.starter.hangs = frozenset({"default"})
    name = next(iter(rig.starter.under_way))
    rig.engine.step()
    assert rig.latest.committed == 2
    (id_,) = [i for i, c in rig.node.containers.items() if c.pilot.name == name]
    rig.node.set_state(id_, PilotState.RUNNING)
    rig.engine.step()
    assert rig.latest.committed == 2
    assert sorted(states(rig)) == ["running", "starting"]
    assert rig.engine.builder.observation is not None
    assert len(rig.engine.builder.observation.starting) == 1
    rig.run(SLOW)
    assert states(rig) == ["running", "running"]
    assert rig.node.started == 2
    assert rig.latest.ledger.total.started == 2


def test_a_pilot_that_ends_before_its_outcome_is_neither_lost_nor_shown_again() -> None:
    """It is recorded as ended once, and not as removed by somebody else."""
    rig = rig_of(1)
    (name,) = rig.starter.under_way
    (id_,) = rig.node.containers
    container = rig.node.containers[id_]
    rig.node.set_state(id_, PilotState.RUNNING)
    rig.engine.step()
    rig.node._exit(container, 0)
    rig.engine.step()
    assert id_ not in rig.node.containers
    rig.word.value = Mode.DRAINING
    rig.starter.hangs = frozenset({"default"})
    started = rig.latest.pilots
    assert name not in {pilot.name for pilot in started if pilot.state != "starting"}
    rig.run(2 * SLOW)
    assert [ended.code for ended in rig.latest.ended] == ["exited"]


def test_a_start_that_hangs_is_not_reaped_and_blocks_no_other_profile() -> None:
    """Of its own profile no other is started meanwhile, and why says so."""
    both = [{"name": "bad", "share": 9}, {"name": "good"}]
    rig = Rig(8, pilots=both)
    rig.node.lifetime = lambda _: 1e9
    rig.starter.hangs = frozenset({"bad"})
    rig.run(SLOW_START + 20)
    hung = len(rig.starter.under_way)
    assert 1 <= hung <= 4
    assert rig.running == 8 - hung
    rig.run(60)
    assert len(rig.starter.under_way) == hung
    assert states(rig).count("starting") == hung
    assert rig.latest.committed == 8
    for name in tuple(rig.starter.under_way):
        rig.starter.finish(name, "Docker answers, but not about it")
    rig.run(1)
    assert rig.latest.backoffs == 1
    assert rig.engine.state.backoffs["bad"].failures == 1


def test_why_says_that_a_start_is_slow() -> None:
    """With the pilot's name and how long it takes so far."""
    rig = Rig(8, pilots=[{"name": "bad"}])
    rig.starter.hangs = frozenset({"bad"})
    rig.run(SLOW_START + 5)
    assert rig.said("no other bad is started: the start of plancton-bad-s00001 takes")


def test_starts_that_hang_are_bounded() -> None:
    """However many profiles hang."""
    rig = Rig(64, pilots=[{"name": f"p{i}"} for i in range(30)])
    rig.starter.hangs = frozenset(f"p{i}" for i in range(30))
    rig.run(300)
    assert len(rig.starter.under_way) == MOST_STARTS


def test_starts_that_fail_together_count_once() -> None:
    """As those of one tick did; the back-off is the first one."""
    rig = rig_of(4)
    rig.node.refuses = "no space left on device"
    rig.run(SLOW + 0.1)
    assert not rig.node.containers
    assert rig.engine.state.backoffs["default"].failures == 1
    assert rig.said("no space left on device")
    rig.node.refuses = ""
    rig.run(120)
    assert rig.running == 4


def test_an_image_that_is_gone_is_looked_for() -> None:
    """As when the engine started pilots itself."""
    rig = rig_of(2)
    rig.node.missing_images.add("busybox:latest")
    rig.run(SLOW + 0.1)
    assert rig.said("no image busybox:latest on the node")


def test_docker_that_goes_away_under_starts_voids_the_tick() -> None:
    """It is asked again later, without a back-off of any profile, and nothing is doubled."""
    rig = rig_of(4)
    rig.node.down = "Docker does not run at unix:///x: start it"
    rig.run(20)
    assert rig.latest.degraded == rig.node.down
    rig.node.down = ""
    rig.run(120)
    assert rig.running == 4
    assert rig.latest.backoffs == 0
    assert rig.latest.degraded == ""
    assert rig.said("Docker is available again")


def test_starts_that_docker_never_answers_are_tried_less_and_less_often() -> None:
    """Though it lists, and each answer wakes the engine."""
    rig = Rig(4)
    rig.node.start_delay = 0.1
    rig.starter.hangs = frozenset({"default"})
    tries = 0
    for _ in range(600):
        rig.run(0.5)
        for name in tuple(rig.starter.under_way):
            tries += 1
            rig.starter.finish(name, RuntimeUnavailableError("it is stalled"))
    assert 8 <= tries <= 4 * 16
    assert rig.said("Docker is unavailable")


def test_a_start_that_raises_what_nobody_foresaw_fails_a_tick_and_no_more() -> None:
    """As a failure in the engine's own thread does."""
    rig = rig_of(1)
    rig.starter.finish(next(iter(rig.starter.under_way)), ValueError("odd"))
    rig.engine.step()
    assert any("ValueError: odd" in warning for warning in rig.latest.warnings)
    rig.node.containers.clear()
    rig.node._calls.clear()
    rig.run(60)
    assert rig.running == 1
    assert not rig.latest.warnings


def test_quitting_waits_for_starts_and_leaves_them_whole() -> None:
    """They run on, bound to no core."""
    rig = rig_of(2)
    rig.engine.quit()
    began = rig.node.now()
    assert rig.engine.turn(0) is None
    assert rig.node.now() - began <= SLOW
    assert [p.bound_to for p in rig.node.running()] in ([(), ()], [(0, 1), (0, 1)])


def test_quitting_waits_for_no_start_that_hangs() -> None:
    """Not for longer than a few seconds; the next engine removes what never started."""
    rig = Rig(2)
    rig.starter.hangs = frozenset({"default"})
    rig.run(10)
    rig.engine.quit()
    began = rig.node.now()
    assert rig.engine.turn(0) is None
    assert rig.node.now() - began <= LAST_STARTS
    rig.engine = rig.new_engine()
    rig.node.lifetime = lambda _: 1e9
    rig.run(60)
    assert rig.running == 2
    assert len(rig.node.containers) == 2


def test_after_a_kill_starts_under_way_are_adopted() -> None:
    """Docker goes on without us; what it made is counted from the first look on."""
    rig = rig_of(4)
    rig.engine = rig.new_engine()
    rig.run(60)
    assert rig.running == 4
    assert rig.node.started == 4


def test_starts_under_way_have_their_cores() -> None:
    """Placement counts them, and moves nobody when they are up."""
    pilots = [{"cpus": 1, "ttl": "2h"}]
    rig = rig_of(4, pilots=pilots)
    rig.run(SLOW + 9)
    assert sorted(p.bound_to for p in rig.node.running()) == [(0,), (1,), (2,), (3,)]
    rig.node.actions.clear()
    rig.node._exit(rig.node.containers[rig.node.running()[0].id], 0)
    rig.run(1)
    assert len(rig.starter.under_way) == 1
    assert rig.latest.spread
    rig.run(SLOW + 5)
    assert sorted(p.bound_to for p in rig.node.running()) == [(0,), (1,), (2,), (3,)]
    assert not [a for a in rig.node.actions if a.startswith("bind")]


def test_a_node_that_binds_nothing_is_told_once_for_a_batch() -> None:
    """Starts under way fall back each by itself."""
    rig = rig_of(4, pilots=[{"cpus": 1, "ttl": "2h"}])
    rig.node.cannot_bind = "no cpusets here"
    rig.run(SLOW + 5)
    assert rig.running == 4
    assert rig.engine.state.bind_failure is not None
    assert rig.engine.state.bind_failure.failures == 1
    assert len([e for e in rig.latest.events if "cannot be bound" in e.text]) == 1


def test_one_probe_at_a_time_though_it_takes_long() -> None:
    """A start under way is the probe of a profile that backs off."""
    rig = rig_of(4)
    rig.node.refuses = "no"
    rig.run(SLOW + 0.1)
    rig.node.refuses = ""
    while not rig.starter.under_way:
        rig.run(0.5)
    rig.run(1)
    assert len(rig.starter.under_way) == 1
    rig.run(60)
    assert rig.running == 4


def test_one_trial_of_a_new_image_at_a_time() -> None:
    """A start under way is the trial."""
    rig = rig_of(4, image={"canary": True, "canary_life": "60s"})
    rig.run(SLOW + 9)
    rig.node.image_ids["busybox:latest"] = "sha256:new"
    for pilot in rig.node.running()[:3]:
        rig.node._exit(rig.node.containers[pilot.id], 0)
    rig.run(1)
    images = [action.image_id for action in rig.starter.under_way.values()]
    assert sorted(images) == ["sha256:new", "sha256:simulated", "sha256:simulated"]


def test_a_number_of_starts_that_is_asked_for_is_kept() -> None:
    """Below the bound: whatever the node's size."""
    for asked, at_once in ((1, 1), (6, 6), (100, MOST_STARTS)):
        rig = rig_of(24, spawn={"per_tick": asked})
        assert len(rig.starter.under_way) == at_once
