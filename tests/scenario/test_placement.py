"""Pilots on cores of their own, on a simulated node and clock."""

from __future__ import annotations

import pytest

from plancton.engine.model.node import Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import PilotState
from tests.scenario.rig import Rig

LONG = {"name": "a", "image": "busybox", "cpus": 1, "ttl": "2h"}


def rig_of(ncpus: int = 2, latency: str = "balanced", **pilot: object) -> Rig:
    """Return a full node whose pilots go on."""
    rig = Rig(
        ncpus, pilots=[{**LONG, **pilot}], protect={"latency": latency}, spawn={"overcommit": "off"}
    )
    rig.node.lifetime = lambda _: 5000.0
    rig.run(30)
    return rig


def bound(rig: Rig) -> list[tuple[int, ...]]:
    """Return the CPUs of the pilots that run, oldest first."""
    return [pilot.bound_to for pilot in rig.node.running()]


def binds(rig: Rig) -> list[str]:
    """Return what was bound since the last call."""
    done = [action for action in rig.node.actions if action.startswith("bind")]
    rig.node.actions.clear()
    return done


def end(rig: Rig, index: int) -> None:
    """Have a pilot end."""
    rig.node._exit(rig.node.containers[rig.node.running()[index].id], 0)


def test_each_pilot_has_a_core_of_its_own_and_keeps_it() -> None:
    """Bound at its start, or when the last core is covered; then no request is made any more."""
    rig = rig_of(4)
    assert sorted(bound(rig)) == [(0,), (1,), (2,), (3,)]
    assert rig.latest.latency == "balanced: each pilot on cores of its own"
    assert rig.latest.spread
    assert sorted(pilot.bound_to for pilot in rig.latest.pilots) == [(0,), (1,), (2,), (3,)]
    binds(rig)
    requests, ticks = rig.node.requests, rig.engine.builder.tick
    rig.run(300)
    assert rig.node.requests - requests == rig.engine.builder.tick - ticks
    assert binds(rig) == []


def test_a_refill_moves_nobody() -> None:
    """The successor has the core of the one that ended; the others stay, tick after tick."""
    rig = rig_of(2)
    rig.node.lifetime = lambda _: 7.0
    end(rig, 0)
    rig.run(1)
    binds(rig)
    rig.run(300)
    assert rig.node.started > 30
    assert binds(rig) == []
    placed = [sorted(p.bound_to for p in seen.pilots) for seen in rig.seen if seen.spawned >= 2]
    assert placed.count([(0,), (1,)]) > 30
    assert [(0,), (0,)] not in placed
    assert [(1,), (1,)] not in placed


def test_between_an_end_and_its_successor_the_others_stay() -> None:
    """For ten seconds; after them all roam, and are bound again when all cores are covered."""
    rig = rig_of(2)
    kept = bound(rig)[0]
    binds(rig)
    rig.word.value = Mode.DRAINING
    end(rig, 1)
    rig.run(8)
    assert bound(rig) == [kept]
    assert binds(rig) == []
    uncovered = "balanced: each pilot on cores of its own; 1 of 2 cores covered"
    assert rig.latest.latency == uncovered
    rig.run(15)
    assert bound(rig) == [(0, 1)]
    assert rig.latest.latency == "balanced: pilots roam, they cover 1 of 2 cores"
    assert len(binds(rig)) == 1
    rig.word.value, rig.node.refuses = Mode.ACTIVE, "no"
    rig.run(100)  # starts fail, and bind nobody meanwhile
    assert binds(rig) == []
    rig.node.refuses = ""
    rig.run(900)
    assert sorted(bound(rig)) == [(0,), (1,)]


def test_starts_that_fail_do_not_keep_the_others_bound() -> None:
    """Each is a hope only."""
    rig = rig_of(2)
    rig.node.refuses = "no"
    end(rig, 1)
    rig.run(30)
    assert bound(rig) == [(0, 1)]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_mode_that_is_switched_off_leaves_nothing(frozen: bool) -> None:
    """All pilots roam at the next tick, frozen ones too."""
    rig = rig_of(2)
    if frozen:
        rig.node.set_state(rig.node.running()[0].id, PilotState.PAUSED)
    rig.settings.set(pilots=[LONG], protect={"latency": "off"})
    rig.engine.step()
    assert {c.pilot.bound_to for c in rig.node.containers.values()} == {(0, 1)}
    assert rig.latest.latency == "off: pilots roam"
    assert {pilot.bound_to for pilot in rig.latest.pilots} == {()}
    binds(rig)
    rig.run(30)
    assert binds(rig) == []


def test_a_new_engine_keeps_what_it_finds() -> None:
    """After kill -9 pilots stay on their cores; with the mode off they are unbound at once."""
    rig = rig_of(2)
    before = bound(rig)
    binds(rig)
    rig.engine = rig.new_engine()
    rig.run(30)
    assert bound(rig) == before
    assert binds(rig) == []
    rig.settings.set(pilots=[LONG], protect={"latency": "off"})
    rig.engine = rig.new_engine()
    rig.engine.step()
    assert bound(rig) == [(0, 1), (0, 1)]


def test_an_engine_that_ends_unbinds() -> None:
    """The pilots run on, as if nobody had bound them."""
    rig = rig_of(2)
    rig.engine.quit()
    assert rig.engine.turn(0) is None
    assert bound(rig) == [(0, 1), (0, 1)]


def test_an_end_without_docker_is_an_end() -> None:
    """There is nobody to ask."""
    rig = rig_of(2)
    rig.node.down = "away"
    rig.engine.quit()
    assert rig.engine.turn(0) is None


def test_an_engine_that_binds_nothing_is_not_asked_at_each_tick() -> None:
    """Pilots start and run all the same; status says it once, and it is tried again later."""
    rig = Rig(2, pilots=[LONG])
    rig.node.lifetime = lambda _: 50.0
    rig.node.cannot_bind = "no cpusets here"
    rig.run(59)
    assert rig.running == 2
    assert set(bound(rig)) == {()}
    (event,) = [e for e in rig.latest.events if "cannot be bound" in e.text]
    assert event.level == "WARNING"
    assert "no cpusets here; next try in" in rig.latest.latency
    assert "protect.latency: no cpusets here" in rig.latest.warnings
    binds(rig)
    rig.run(600)
    assert rig.running == 2
    tries = [e for e in rig.latest.events if "cannot be bound" in e.text]
    assert 2 <= len(tries) <= 6
    rig.node.cannot_bind = ""
    rig.run(1200)
    assert sorted(bound(rig)) == [(0,), (1,)]
    assert not rig.latest.warnings
    rig.node.cannot_bind = "no more"
    rig.settings.set(pilots=[LONG], protect={"latency": "off"})
    rig.node.lifetime = lambda _: 5000.0
    rig.run(600)
    assert len(binds(rig)) < 10


@pytest.mark.parametrize(
    ("ncpus", "protection", "pilot", "text"),
    [
        (1, Protection.IDLE, {}, "balanced: pilots roam, there is only one core to use"),
        (2, Protection.LOW_WEIGHT, {}, "balanced: pilots roam, they are not in the idle class"),
        (4, Protection.IDLE, {"maximum": 1}, "balanced: pilots roam, they cover 1 of 4 cores"),
        (4, Protection.IDLE, {"cpus": 4}, "balanced: each pilot on cores of its own"),
        (4, Protection.IDLE, {"cpus": 0.5}, "balanced: each pilot on cores of its own"),
    ],
)
def test_status_says_how_it_stands(
    ncpus: int, protection: Protection, pilot: dict[str, object], text: str
) -> None:
    """And without the mode's conditions nobody is bound."""
    rig = Rig(ncpus, pilots=[{**LONG, **pilot}])
    rig.node.protection = protection
    rig.node.lifetime = lambda _: 5000.0
    rig.run(60)
    assert rig.latest.latency == text
    assert rig.latest.spread or set(bound(rig)) == {()}
    binds(rig)
    rig.run(60)
    assert binds(rig) == []


def shares_of(rig: Rig, seconds: float) -> tuple[float, float]:
    """Return the part of some seconds in which pilots were bound, and the cores they used."""
    begin, used = len(rig.seen), rig.node.own_seconds
    rig.run(seconds)
    spread = [seen.spread for seen in rig.seen[begin:]]
    return sum(spread) / len(spread), (rig.node.own_seconds - used) / seconds


def test_pilots_without_a_limit_are_bound_while_that_takes_nothing_from_them() -> None:
    """All cores are busy: the owner's tail latency is kept as ever."""
    rig = rig_of(2, cpu_limit="none")
    assert sorted(bound(rig)) == [(0,), (1,)]
    assert shares_of(rig, 1800) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize("limit", ["none", 2])
def test_pilots_that_could_use_what_others_leave_roam(limit: object) -> None:
    """After ten seconds of idle cores, for ten minutes; then it is tried again."""
    rig = rig_of(2, cpu_limit=limit)
    rig.node.pilot_cpu = 0.6  # each wants more than half of what it may use
    rig.run(30)
    assert bound(rig) == [(0, 1), (0, 1)]
    text = "pilots roam for 9.9 min: on cores of their own they left some idle"
    assert text in rig.latest.latency
    part, cores = shares_of(rig, 3000)
    assert part < 0.1
    assert cores > 1.95
    assert 4 <= len(binds(rig)) / 2 <= 12
    rig.node.pilot_cpu = 1.0
    rig.run(700)
    assert shares_of(rig, 600) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize(
    ("latency", "pilot"),
    [("strict", {"cpu_limit": "none"}), ("balanced", {}), ("balanced", {"cpu_limit": 1})],
)
def test_others_stay_bound_whatever_they_leave(latency: str, pilot: dict[str, object]) -> None:
    """Those that may not use more anyway, and all where the tail latency goes first."""
    rig = rig_of(2, latency, **pilot)
    rig.node.pilot_cpu = 0.6
    assert shares_of(rig, 900) == pytest.approx((1.0, 1.2))


def test_pilots_without_a_limit_cover_only_what_was_promised() -> None:
    """Two of them do not cover four cores, though they may use all."""
    rig = rig_of(4, cpu_limit="none", maximum=2)
    assert bound(rig) == [(), ()]
    assert rig.latest.latency == "balanced: pilots roam, they cover 2 of 4 cores"
    assert shares_of(rig, 60)[1] == pytest.approx(4.0)
