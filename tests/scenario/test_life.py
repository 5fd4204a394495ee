"""A pilot's life and a node's day, on a simulated node and clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.node import Limit
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.ports import ActionError
from tests.scenario.rig import Rig


def test_fills_the_node_and_keeps_it_full() -> None:
    """One pilot a core, and each exit is refilled."""
    rig = Rig(4)
    rig.run(20)
    assert rig.running == 4
    rig.run(600)
    assert rig.running == 4
    assert rig.node.started > 30
    assert len(rig.latest.ended) > 30


def test_a_snapshot_shows_what_its_own_tick_did() -> None:
    """A started pilot is listed, a removed one is not, a frozen one is frozen: at once."""
    rig = Rig(1, spawn={"maximum": 1})
    while not rig.running:
        rig.run(0.5)
    (first,) = rig.latest.pilots
    assert (first.state, first.slot, first.before) == ("running", 1, 0)
    rig.node.set_state(first.id, PilotState.EXITED)
    rig.engine.step(ended=frozenset({first.id}))
    (second,) = rig.latest.pilots
    assert second.id != first.id
    assert (second.state, second.slot, second.before) == ("running", 1, 1)
    rig.engine.command_pilot(second.id, PilotCommand.FREEZE)
    rig.engine.turn(0)
    assert [pilot.state for pilot in rig.latest.pilots] == ["frozen"]


def test_a_pilot_that_somebody_else_removed_is_on_record() -> None:
    """In events, decisions, the record of ends and the ledger; and it is replaced."""
    rig = Rig(2)
    rig.node.lifetime = lambda _: 1000.0
    rig.run(30)
    lost = rig.latest.pilots[0]
    del rig.node.containers[lost.id]
    rig.run(5)
    assert rig.running == 2
    (ended,) = rig.latest.ended
    assert (ended.name, ended.code, ended.reason) == (
        lost.name,
        "disappeared",
        "it was removed by somebody else",
    )
    assert any(d.did == "gone" and d.subject == lost.name for d in rig.latest.decisions)
    assert rig.said(f"pilot={lost.name} ")
    assert rig.latest.ledger.total.ended == {"disappeared": 1}
    assert rig.latest.backoffs == 0


def test_a_failed_start_shows_no_pilot() -> None:
    """Only what was done is shown as done."""
    rig = Rig(1)
    rig.node.refuses = "no space left on device"
    rig.run(5)
    assert rig.latest.pilots == ()
    assert rig.said("no space left on device")


def test_figures_of_a_snapshot_are_those_of_its_reasons() -> None:
    """Room and promised cores are the decision's own, whatever the foreground does meanwhile."""
    rig = Rig(4, pilots=[{"cpus": 0.7}], spawn={"maximum": 20})
    compared = 0
    for foreground in (0.0, 2.5, 1.0, 4.0, 0.3) * 4:
        rig.node.foreground = foreground
        before = len(rig.seen)
        rig.run(7)
        for each in rig.seen[before:]:
            for finding in (f for f in each.findings if f.code == "no-room"):
                assert each.room is not None
                assert finding.values["room"] == max(0.0, each.room)
                assert finding.values["committed"] == each.committed
                compared += 1
    assert compared > 20


def test_a_pilots_end_is_recorded_before_it_is_removed() -> None:
    """Exit code and last log lines are in the record, the container has gone."""
    rig = Rig(1)
    rig.node.exit_code = 7
    rig.node.lifetime = lambda _: 20.0
    rig.run(30)
    ended = rig.seen[-1].ended[0]
    assert (ended.exit_code, ended.log, ended.lifetime) == (7, "bye\n", 20.0)
    assert ended.id not in rig.node.containers


def test_a_pilot_whose_removal_fails_is_recorded_once_it_works() -> None:
    """Nothing is lost or counted twice while Docker says that the device is busy."""
    rig = Rig(1)
    rig.node.keeps_exited = True
    rig.node.lifetime = lambda _: 20.0
    rig.run(40)
    assert not rig.latest.ended
    rig.node.keeps_exited = False
    rig.run(10)
    assert len({ended.id for ended in rig.latest.ended}) == len(rig.latest.ended) >= 1


def test_ttl_is_exact_and_immune_to_steps_of_the_wall_clock() -> None:
    """SIGTERM comes at the deadline though the wall clock jumps by hours."""
    rig = Rig(1, pilots=[{"ttl": "100s", "grace": "5s"}])
    rig.node.lifetime = lambda _: 1e9
    rig.run(3)
    born = rig.node.running()[0].started_at or 0
    rig.node.wall_step = 7200
    rig.run(born + 99 - rig.node.now())
    assert not any(action.startswith("terminate") for action in rig.node.actions)
    rig.node.wall_step = -7200
    rig.run(2)
    assert any(action.startswith("terminate") for action in rig.node.actions)
    assert rig.said("its time to live is over")


def test_a_stubborn_pilot_is_killed_after_its_grace() -> None:
    """SIGTERM once, SIGKILL once, in this order."""
    rig = Rig(1, pilots=[{"ttl": "20s", "grace": "5s"}])
    rig.node.lifetime = lambda _: 1e9
    rig.node.ignores_term = True
    rig.run(40)
    first = [a for a in rig.node.actions if a.endswith("000001")]
    assert [a.split()[0] for a in first] == ["terminate", "kill", "remove"]


def test_restart_adopts_pilots_and_neither_leaks_nor_doubles() -> None:
    """A killed engine's successor finds all by label and keeps their deadlines."""
    rig = Rig(4, pilots=[{"ttl": "200s"}])
    rig.node.lifetime = lambda _: 1e9
    rig.run(60)
    before = [pilot.id for pilot in rig.node.running()]
    rig.engine = rig.new_engine()
    rig.run(30)
    assert [pilot.id for pilot in rig.node.running()] == before
    rig.run(120)
    assert not {pilot.id for pilot in rig.node.running()} & set(before)
    assert rig.running == 4


def test_the_machine_is_given_back_and_taken_again() -> None:
    """The owner takes the node: pilots are frozen, then end; it is left: new ones come."""
    rig = Rig(4, protect={"freeze_after": "30s", "evict_after": "120s"})
    rig.node.lifetime = lambda _: 1e9
    rig.run(30)
    rig.node.foreground = 4.0
    rig.run(30)
    assert rig.running == 4
    rig.run(20)
    assert rig.running == 0
    assert [p.state for p in rig.latest.pilots] == ["frozen"] * 4
    rig.run(125)
    assert rig.latest.pilots == ()
    assert (rig.latest.frozen, rig.latest.evicted) == (4, 4)
    rig.node.foreground = 0.0
    rig.run(80)
    assert rig.running == 4


def test_a_short_absence_is_slept_through() -> None:
    """The owner works for a minute: the same pilots go on afterwards, nothing is lost."""
    rig = Rig(4, protect={"freeze_after": "30s", "evict_after": "120s"})
    rig.node.lifetime = lambda _: 1e9
    rig.run(30)
    before = [pilot.id for pilot in rig.node.running()]
    rig.node.foreground = 4.0
    rig.run(60)
    assert rig.running == 0
    rig.node.foreground = 0.0
    rig.run(6)
    assert [pilot.id for pilot in rig.node.running()] == before
    assert rig.latest.evicted == 0
    assert rig.latest.ledger.total.frozen == 4
    assert rig.latest.ledger.total.lost == 0


def test_a_short_burst_kills_nobody() -> None:
    """Bursts below the grace cost no pilot."""
    rig = Rig(4)
    rig.node.lifetime = lambda _: 1e9
    rig.run(30)
    for _ in range(10):
        rig.node.foreground = 4.0
        rig.run(60)
        rig.node.foreground = 0.0
        rig.run(30)
    assert rig.running == 4
    assert rig.latest.evicted == 0


def test_own_pilots_never_look_like_the_owner() -> None:
    """Busy pilots alone are no pressure, even where their own counter cannot be read."""
    for readable in (True, False):
        rig = Rig(4)
        rig.node.own_readable = readable
        rig.node.lifetime = lambda _: 30.0
        rig.run(1200)
        assert rig.latest.evicted == 0
        assert rig.running == 4


def test_the_pool_stays_full_with_pilots_of_ten_minutes() -> None:
    """Normal exits delay nothing: 126 slots stay filled, where 0.6.0 kept 17."""
    rig = Rig(128, spawn={"maximum": 126}, node={"interval": "30s"})
    lives = iter(range(10**9))
    rig.node.lifetime = lambda _: 300.0 + 37 * next(lives) % 600
    rig.run(1800)
    filled = []
    for _ in range(40):
        rig.run(30)
        filled.append(rig.running)
    assert sum(filled) / len(filled) > 110


@pytest.mark.parametrize("maximum", [1, 2])
def test_a_small_maximum_is_steady(maximum: int) -> None:
    """One slot neither waits out a grace nor spawns and kills in turns."""
    rig = Rig(4, spawn={"maximum": maximum})
    rig.node.lifetime = lambda _: 1e9
    rig.run(5)
    assert rig.running == maximum
    rig.run(3600)
    assert rig.node.started == maximum


def test_a_lowered_maximum_shrinks_the_pool_at_once() -> None:
    """The youngest go, with their grace, and are not replaced."""
    rig = Rig(4)
    rig.node.lifetime = lambda _: 1e9
    rig.run(20)
    rig.settings.set(spawn={"maximum": 1})
    rig.run(6)
    assert rig.running == 1
    assert rig.said("the maximum is 1")


def test_black_hole_profile_backs_off_and_recovers() -> None:
    """A profile that dies at once costs a handful of starts an hour, and heals by itself."""
    rig = Rig(4)
    rig.node.lifetime = lambda _: 0.5
    rig.node.exit_code = 1
    rig.run(3600)
    assert rig.node.started < 20
    assert rig.said("default waits for")
    rig.node.lifetime = lambda _: 600.0
    rig.run(1000)
    assert rig.running == 4


def test_refused_starts_back_off_with_dockers_words() -> None:
    """A bind source that does not exist is no reason to hammer Docker."""
    rig = Rig(4)
    rig.node.refuses = "bind source path does not exist: /nope"
    rig.run(600)
    assert rig.said("/nope")
    assert rig.latest.spawned == 0
    starts = [e for e in rig.latest.events if "could not start" in e.text]
    assert 3 < len(starts) < 12


def test_no_image_spawns_nothing_and_says_why() -> None:
    """The reason names the image and the next try."""
    rig = Rig(4)
    rig.node.missing_images.add("busybox:latest")
    rig.run(60)
    assert rig.running == 0
    assert rig.said("no image busybox:latest on the node: no such image in the registry")
    rig.node.missing_images.clear()
    rig.run(30)
    assert rig.running == 4


def test_drain_then_resume() -> None:
    """No new pilots while draining; the old ones end by themselves; resume refills."""
    rig = Rig(4)
    rig.run(20)
    rig.word.value = Mode.DRAINING
    rig.run(120)
    assert rig.running == 0
    assert not rig.engine.finished
    rig.word.value = Mode.ACTIVE
    rig.run(20)
    assert rig.running == 4


@pytest.mark.parametrize(
    ("mode", "left", "verb"),
    [(Mode.STOPPING, 40, None), (Mode.ENDING, 3, "terminate"), (Mode.FORCED, 3, "kill")],
)
def test_modes_that_end_the_engine(mode: Mode, left: float, verb: str | None) -> None:
    """It ends when the last pilot is recorded and removed, and then forgets the order."""
    rig = Rig(2)
    rig.run(20)
    rig.word.value = mode
    rig.run(left - 2 if verb is None else 0.5)
    assert rig.engine.finished is (verb is not None)
    rig.run(60)
    assert rig.engine.finished
    assert rig.node.containers == {}
    assert rig.word.value is Mode.ACTIVE
    verbs = {action.split()[0] for action in rig.node.actions}
    assert verbs == {"remove", verb} - {None}


def test_paused_pilots_still_end_on_time() -> None:
    """A pilot paused by somebody keeps its place and its TTL."""
    rig = Rig(1, pilots=[{"ttl": "60s", "grace": "1s"}])
    rig.node.lifetime = lambda _: 1e9
    rig.run(10)
    first = rig.node.running()[0].id
    rig.node.set_state(first, PilotState.PAUSED)
    rig.run(30)
    assert rig.node.started == 1
    rig.run(60)
    assert first not in rig.node.containers
    assert rig.running == 1


def test_a_refused_wish_is_said_and_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the runtime cannot freeze."""
    rig = Rig(2)
    rig.run(5)
    pilot = rig.latest.pilots[0]
    tried: list[str] = []

    def refuse(pilot: Pilot) -> None:
        tried.append(pilot.id)
        raise ActionError("cgroups not configured")

    monkeypatch.setattr(rig.node, "freeze", refuse)
    rig.engine.command_pilot(pilot.id, PilotCommand.FREEZE)
    rig.engine.turn(0)
    rig.run(30)
    assert tried == [pilot.id]
    assert rig.said("pilot could not be frozen")


def test_after_a_suspend_a_busy_owner_is_still_seen() -> None:
    """What the boot clock counts and no CPU counter does: not idle time, and no room."""
    rig = Rig(4, protect={"freeze": False, "evict_after": "1h", "latency": "off"})
    rig.node.lifetime = lambda _: 10_000.0
    rig.node.foreground = 2.0
    rig.run(30)
    assert rig.running == 2
    rig.node.foreground = 3.9
    rig.run(30)
    idle = rig.latest.ledger.total.idle
    rig.node.kill(rig.node.running()[0])
    rig.node.suspend(300)
    rig.run(20)
    assert rig.running == 1
    assert rig.said("no room for default")
    assert rig.latest.ledger.total.idle - idle < 4 * 20


def test_a_pilots_cores_are_those_of_the_time_awake() -> None:
    """The first look after a suspend, too."""
    rig = Rig(2)
    rig.node.lifetime = lambda _: 10_000.0
    rig.run(30)
    rig.node.suspend(300)
    rig.node.advance(1)
    rig.engine.step()
    assert [pilot.cpu for pilot in rig.latest.pilots] == pytest.approx([1.0, 1.0])


def test_a_frozen_pilot_gives_its_memory_back_and_goes_on_with_it() -> None:
    """While the owner is short of it; it is told in the pilot's note and in the ledger."""
    rig = Rig(2, pilots=[{"memory": "8GB"}], protect={"freeze_after": "5s", "evict_after": "1h"})
    rig.node.host = replace(rig.node.host, swap_total=64 * 10**9)
    rig.node.lifetime = lambda _: 10_000.0
    rig.run(20)
    rig.node.foreground, rig.node.foreground_memory = 2.0, 200e9
    rig.run(20)
    assert [pilot.state for pilot in rig.latest.pilots] == ["frozen", "frozen"]
    assert {pilot.swapped for pilot in rig.latest.pilots} == {2 * 10**9}
    assert all("; it gave back 2 GB, now in swap" in pilot.note for pilot in rig.latest.pilots)
    assert rig.latest.ledger.total.reclaimed == 4 * 10**9
    rig.engine = rig.new_engine()
    rig.run(5)
    assert rig.latest.ledger.total.reclaimed == 0
    rig.node.foreground = 0.0
    rig.run(20)
    assert [pilot.state for pilot in rig.latest.pilots] == ["running", "running"]
    assert {pilot.swapped for pilot in rig.latest.pilots} == {0}


def test_with_enough_memory_a_frozen_pilot_keeps_its_own() -> None:
    """Swapping would only cost."""
    rig = Rig(2, pilots=[{"memory": "8GB"}], protect={"freeze_after": "5s", "evict_after": "1h"})
    rig.node.host = replace(rig.node.host, swap_total=64 * 10**9)
    rig.node.lifetime = lambda _: 10_000.0
    rig.run(20)
    rig.node.foreground = 2.0
    rig.run(20)
    assert {(pilot.state, pilot.swapped) for pilot in rig.latest.pilots} == {("frozen", 0)}


def test_limits_that_are_not_enforced_are_said_and_pilots_run() -> None:
    """The idle class, and the signal of memory, hold in their place."""
    rig = Rig(2)
    rig.node.unenforced = frozenset({Limit.CPUS, Limit.MEMORY, Limit.SWAP})
    rig.node.complaints = ("something was discarded",)
    rig.run(20)
    assert rig.running == 2
    cpus, memory, said = rig.latest.warnings
    assert rig.latest.unenforced == (cpus, memory)
    assert cpus.startswith("pilots may use more cores than their cpus")
    assert "the idle class still lets the owner go first" in cpus
    assert memory.startswith("pilots may use more than their memory")
    assert said == "Docker said of the last pilot: something was discarded"


def test_nothing_starts_where_nothing_bounds_memory() -> None:
    """Neither the kernel nor the signal, which is off."""
    rig = Rig(2, protect={"memory": {"evict_below": "off"}})
    rig.node.unenforced = frozenset({Limit.MEMORY})
    rig.run(20)
    assert rig.running == 0
    assert rig.said("nothing would bound the memory of pilots")


def test_a_suspend_ends_no_frozen_pilot() -> None:
    """It was frozen for an hour of which nobody saw anything; it goes on when there is room."""
    rig = Rig(2, protect={"freeze_after": "5s", "evict_after": "120s"})
    rig.node.lifetime = lambda _: 10_000.0
    rig.run(20)
    rig.node.foreground = 2.0
    rig.run(30)
    assert {pilot.state for pilot in rig.latest.pilots} == {"frozen"}
    rig.node.suspend(3600)
    rig.run(20)
    assert [pilot.state for pilot in rig.latest.pilots] == ["frozen", "frozen"]
    rig.node.foreground = 0.0
    rig.run(20)
    assert rig.running == 2
    assert rig.latest.evicted == 0


def test_a_grace_does_not_pass_in_suspend() -> None:
    """Sent SIGTERM before it, a pilot has its seconds to save its work after it."""
    rig = Rig(1, pilots=[{"ttl": "60s", "grace": "30s"}])
    rig.node.lifetime = lambda _: 10_000.0
    rig.node.ignores_term = True
    rig.run(63)
    (pilot,) = rig.latest.pilots
    assert pilot.state == "terminating"
    rig.node.suspend(600)
    rig.run(20)
    assert [each.id for each in rig.latest.pilots] == [pilot.id]
    rig.run(30)
    assert [each.id for each in rig.latest.pilots] != [pilot.id]


def test_it_looks_often_only_while_the_foreground_takes_the_room() -> None:
    """A node that is full of pilots has nothing to wait for; a burst of its owner passes soon."""
    rig = Rig(4, protect={"latency": "off"})
    rig.node.lifetime = lambda _: 10_000.0
    rig.run(120)
    full = rig.latest.tick
    rig.run(60)
    assert rig.latest.tick - full == 12
    rig.node.foreground = 3.9
    rig.run(20)
    rig.node.kill(rig.node.running()[0])
    busy = rig.latest.tick
    rig.run(60)
    assert rig.latest.tick - busy > 100
