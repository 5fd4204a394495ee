"""The ladder and its signals: freeze, thaw, evict, and when nothing at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plancton.config import schema
from plancton.config.calendar import DAY, Lending, name_of
from plancton.engine.model.action import Freeze, Spawn, Thaw
from plancton.engine.model.node import CpuLoad, Observation, Protection, Stalled
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import EVICTIONS, Code, Reason
from plancton.engine.model.state import Frozen, State
from plancton.engine.rules.decide import decide
from tests.unit.tables import HOST, NOW, carry_out, codes, guarded, kinds, look, pilot, policy, run

OLD, YOUNG = pilot("old", created_at=NOW - 50), pilot("young", created_at=NOW - 10)


def frozen(one: Pilot) -> Pilot:
    """Return the pilot frozen."""
    return replace(one, state=PilotState.PAUSED)


def pressed(*pilots: Pilot, **fields: Any) -> Observation:
    """Return a node of 4 cores that its owner uses wholly."""
    return look(*pilots, foreground=4.0, **fields)


# --- the CPU's rungs ------------------------------------------------------------------------


def test_lasting_pressure_freezes_then_ends() -> None:
    """Nothing for 30 s, then all that is too much is frozen, then ended after 120 s more."""
    building = run(pressed(OLD, YOUNG))
    assert kinds(building) == []
    assert Code.PRESSURE_BUILDING in codes(building)
    due = run(pressed(OLD, YOUNG), state=building.state, now=NOW + 30)
    assert kinds(due) == ["Freeze young", "Freeze old"]
    state = carry_out(due, policy(), NOW + 30)
    stopped = pressed(frozen(OLD), frozen(YOUNG))
    assert kinds(run(stopped, state=state, now=NOW + 149)) == []
    late = run(stopped, state=state, now=NOW + 150)
    assert kinds(late) == ["Terminate young", "Terminate old"]
    assert "frozen for 2 min, because the CPU is overcommitted" in str(late.actions[0].reason)


def test_only_what_is_too_much_is_frozen_the_youngest_first() -> None:
    """Three cores of foreground leave room for one of three pilots."""
    third = pilot("third", created_at=NOW - 5)
    seen = look(OLD, YOUNG, third, foreground=3.0)
    state = State(overcommitted_since=NOW - 60)
    assert kinds(run(seen, state=state)) == ["Freeze third", "Freeze young"]


def test_a_burst_shorter_than_the_grace_leaves_no_trace() -> None:
    """The clock of pressure begins anew."""
    burst = run(pressed(OLD))
    calm = run(look(OLD), state=burst.state, now=NOW + 20)
    again = run(pressed(OLD), state=calm.state, now=NOW + 31)
    assert calm.state.overcommitted_since is None
    assert kinds(again) == []


def test_thaws_the_last_frozen_first_when_there_has_been_room_for_long_enough() -> None:
    """In the reverse order of freezing, as far as there is room; nothing starts before."""
    seen = look(frozen(OLD), frozen(YOUNG), foreground=2.6)
    both = {
        "old": Frozen(Reason.of(Code.PRESSURE), NOW - 9),
        "young": Frozen(Reason.of(Code.TTL), NOW),
    }
    state = State(frozen={**both, "young": Frozen(Reason.of(Code.PRESSURE), NOW - 10)})
    first = run(seen, state=state)
    assert kinds(first) == []
    assert codes(first) == [Code.FROZEN_FIRST]
    later = run(seen, state=first.state, now=NOW + 2)
    assert kinds(later) == ["Thaw old"]
    again = run(look(OLD, frozen(YOUNG), foreground=2.6), state=later.state, now=NOW + 9)
    assert kinds(again) == []


def test_a_short_look_is_enough_to_thaw() -> None:
    """The mean of ten seconds lags behind; the last second shows that the burst is over."""
    state = State(frozen={"old": Frozen(Reason.of(Code.PRESSURE), NOW - 9)}, room_since=NOW - 2)
    calm = CpuLoad(4, 0.1, 0.0, 3.9, 1.0)
    assert kinds(run(pressed(frozen(OLD), recent=calm), policy(1), state)) == ["Thaw old"]


def test_a_short_look_is_enough_to_start() -> None:
    """Without the idle class it is not: there the worse of both looks counts."""
    calm = CpuLoad(4, 0.1, 0.0, 3.9, 1.0)
    assert len(run(pressed(recent=calm)).actions) == 4
    bare = replace(HOST, protection=Protection.WEIGHT_ONLY)
    assert codes(run(pressed(recent=calm, host=bare))) == [Code.NO_ROOM]


def test_what_cannot_be_frozen_is_ended_one_at_a_time() -> None:
    """A failed freeze leaves the second rung: the youngest ends, then its effect is awaited."""
    first = run(pressed(OLD, YOUNG), state=State(overcommitted_since=NOW - 30))
    state = carry_out(first, policy(), NOW, error="no freezer")
    second = run(pressed(OLD, YOUNG), state=state, now=NOW + 120)
    assert kinds(second) == ["Terminate young"]
    state = carry_out(second, policy(), NOW + 120)
    assert kinds(run(pressed(OLD, YOUNG), state=state, now=NOW + 125)) == []


def test_without_freezing_the_time_to_the_end_counts_from_the_pressure() -> None:
    """protect.freeze false."""
    rules = guarded(freeze=False)
    state = State(overcommitted_since=NOW - 119)
    assert kinds(run(pressed(OLD, YOUNG), rules, state)) == []
    assert kinds(run(pressed(OLD, YOUNG), rules, state, NOW + 1)) == ["Terminate young"]


def test_pilots_found_frozen_are_taken_over() -> None:
    """After a restart, or paused by hand: they go on when there is room, or end in their time."""
    first = run(look(frozen(OLD)), policy(1))
    assert kinds(run(look(frozen(OLD)), policy(1), first.state, NOW + 2)) == ["Thaw old"]
    busy = run(pressed(frozen(OLD)))
    assert kinds(run(pressed(frozen(OLD)), state=busy.state, now=NOW + 119)) == []
    assert kinds(run(pressed(frozen(OLD)), state=busy.state, now=NOW + 120)) == ["Terminate old"]


def test_the_ttl_of_a_frozen_pilot_runs_on() -> None:
    """It is asked to end, and thawed for that by the runtime."""
    assert kinds(run(pressed(replace(frozen(OLD), deadline_at=NOW)))) == ["Terminate old"]


def test_draining_nodes_thaw_too() -> None:
    """Else they would never be empty."""
    seen = look(frozen(OLD), mode=Mode.DRAINING)
    assert kinds(run(seen, state=State(room_since=NOW - 2))) == ["Thaw old"]


@pytest.mark.parametrize("ncpus", [2, 20, 128])
def test_large_nodes_give_way_too(ncpus: int) -> None:
    """Overload is measured in cores, not in per cent of the node that may pass 100."""
    pilots = [pilot(f"p{i}", created_at=NOW - i) for i in range(ncpus - 1)]
    state = State(overcommitted_since=NOW - 121)
    seen = look(*pilots, foreground=float(ncpus), ncpus=ncpus)
    assert len(run(seen, policy(ncpus), state).actions) == ncpus - 1


def test_without_the_idle_class_a_full_node_is_freed_at_once() -> None:
    """A pilot beside the foreground makes it look smaller, so all give way, within a second."""
    bare = replace(HOST, protection=Protection.WEIGHT_ONLY)
    full = CpuLoad(4, 2.1, 1.9, 0.0, 1.0)
    seen = look(OLD, YOUNG, foreground=1.0, host=bare, recent=full)
    building = run(seen)
    assert kinds(building) == []
    due = run(seen, state=building.state, now=NOW + 1)
    assert kinds(due) == ["Freeze young", "Freeze old"]


def test_without_the_idle_class_some_of_the_node_stays_free() -> None:
    """A core and a half must be free for a pilot of one core."""
    bare = replace(HOST, protection=Protection.WEIGHT_ONLY)
    seen = look(foreground=1.9, host=bare)
    assert len(run(seen).actions) == 1
    assert len(run(replace(seen, host=HOST)).actions) == 2


# --- who goes first -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("victim", "pilots", "first"),
    [
        ("youngest", [OLD, YOUNG], "young"),
        ("youngest", [replace(OLD, checkpoint_at=NOW - 5), YOUNG], "old"),
        ("youngest", [replace(OLD, checkpoint_at=NOW - 61), YOUNG], "young"),
        ("least-lost", [replace(OLD, cpu_seconds=5), replace(YOUNG, cpu_seconds=9)], "old"),
        ("least-lost", [replace(OLD, cpu_seconds=90), replace(YOUNG, cpu_seconds=9)], "young"),
        (
            "least-lost",
            [replace(OLD, cpu_seconds=90, checkpoint_at=NOW - 70, started_at=NOW - 1000),
             replace(YOUNG, cpu_seconds=9)],
            "old",
        ),
        ("youngest", [frozen(OLD), YOUNG], "old"),
    ],
)  # fmt: skip
def test_the_victim(victim: str, pilots: list[Pilot], first: str) -> None:
    """Frozen before just saved before the configured order."""
    host = replace(HOST, memory_available=10**9)
    rules = guarded(victim=victim, memory={"after": 0})
    assert kinds(run(look(*pilots, host=host), rules))[0] == f"Terminate {first}"


# --- signals --------------------------------------------------------------------------------


def test_short_memory_ends_one_pilot_at_a_time() -> None:
    """After 5 s, and the next one only after the first has gone and 5 s more."""
    host = replace(HOST, memory_available=10**9)
    seen = look(OLD, YOUNG, host=host)
    first = run(seen)
    assert kinds(first) == []
    second = run(seen, state=first.state, now=NOW + 5)
    assert kinds(second) == ["Terminate young"]
    state = carry_out(second, policy(), NOW + 5)
    assert kinds(run(seen, state=state, now=NOW + 14)) == []
    alone = look(OLD, host=host)
    left = run(alone, state=state, now=NOW + 8)
    assert kinds(left) == []
    assert kinds(run(alone, state=left.state, now=NOW + 10)) == ["Terminate old"]


@pytest.mark.parametrize(
    ("available", "own", "promise", "starts"),
    [(60e9, 0, 1.0, 4), (10e9, 0, 1.0, 1), (8e9, 0, 1.0, 0), (8e9, 0, 0.0, 4), (6e9, 0, 0.0, 0)],
)
def test_pilots_start_only_with_memory_for_them(
    available: float, own: int, promise: float, starts: int
) -> None:
    """2 GB each, and 10 % of 64 GB stay free; without promises only what is free counts."""
    host = replace(HOST, memory_available=int(available), own_memory=own)
    decision = run(look(host=host), policy(4, memory_promise=promise))
    assert len(decision.actions) == starts
    assert (Code.NO_MEMORY in codes(decision)) is (starts < 4)


def test_where_pilots_memory_cannot_be_read_they_are_taken_to_use_what_was_promised() -> None:
    """So that what is available is not counted twice."""
    one = replace(OLD, memory=2 * 10**9)
    host = replace(HOST, memory_available=8_500_000_000, own_memory=None)
    assert len(run(look(one, host=host)).actions) == 1


def test_a_pilot_that_is_asked_to_go_now_counts_no_more() -> None:
    """Nobody is frozen beside it for the room that it leaves."""
    going = replace(YOUNG, deadline_at=NOW)
    seen = look(OLD, going, foreground=3.0)
    decision = run(seen, state=State(overcommitted_since=NOW - 60))
    assert kinds(decision) == ["Terminate young"]


def test_memory_promised_but_not_used_yet_counts_frozen_pilots_too() -> None:
    """Two pilots of 2 GB that use 1 GB each leave 3 GB of 12 less 2 GB."""
    pilots = [replace(OLD, memory=2 * 10**9), frozen(replace(YOUNG, memory=2 * 10**9))]
    host = replace(HOST, memory_available=10_300_000_000, own_memory=2 * 10**9)
    room = look(*pilots, host=host, mode=Mode.ACTIVE)
    state = State(frozen={"young": Frozen(Reason.of(Code.PRESSURE), NOW)})
    decision = run(replace(room, pilots=(pilots[0],)), policy(4), state)
    assert sum(isinstance(a, Spawn) for a in decision.actions) == 1


def signals(**protect: Any) -> Policy:
    """Return a policy with these signals."""
    return guarded(**protect)


USER = {"user": {"presence": "active", "recover": "60s"}}
CALENDAR = {"calendar": {"lend": ["18:00-08:00"]}}
STALL = {"stall": {"io": {"stop_above": 10, "freeze_above": 30, "evict_above": 60}}}


@pytest.mark.parametrize(
    ("protect", "host", "acts", "code"),
    [
        ({}, {"disk_free": 10**9}, [], Code.LOW_DISK),
        ({"disk": {"stop_below": "20%"}}, {}, [], Code.LOW_DISK),
        ({"disk": {"stop_below": "off"}}, {"disk_free": 0}, ["Spawn"] * 2, None),
        ({}, {"users": 1, "user_idle": 1.0}, ["Spawn"] * 2, None),
        (USER, {"users": 1, "user_idle": 1.0}, ["Freeze young", "Freeze old"], Code.USER),
        (USER, {"users": 1, "user_idle": 1000.0}, ["Spawn"] * 2, None),
        (
            {"user": {"presence": "logged-in", "step": "evict"}},
            {"users": 1, "user_idle": 1000.0},
            ["Terminate young", "Terminate old"],
            Code.USER,
        ),
        ({"user": {"presence": "logged-in", "step": "stop"}}, {"users": 2}, [], Code.USER),
        ({}, {"on_battery": True}, [], Code.BATTERY),
        ({}, {"on_battery": False}, ["Spawn"] * 2, None),
        ({"battery": {"step": "off"}}, {"on_battery": True}, ["Spawn"] * 2, None),
        (CALENDAR, {"minute_of_week": 9 * 60}, [], Code.CALENDAR),
        (CALENDAR, {"minute_of_week": 19 * 60}, ["Spawn"] * 2, None),
        (STALL, {"stalled": {"io": Stalled(5, 0)}}, ["Spawn"] * 2, None),
        (STALL, {"stalled": {"io": Stalled(15, 0)}}, [], Code.STALLED),
        ({}, {"stalled": {"io": Stalled(99, 0)}}, ["Spawn"] * 2, None),
    ],
)
def test_signals(
    protect: dict[str, Any], host: dict[str, Any], acts: list[str], code: Code | None
) -> None:
    """Each stops, freezes or ends as configured, and says so."""
    decision = run(look(OLD, YOUNG, host=replace(HOST, **host)), signals(**protect))
    assert kinds(decision) == acts
    assert code is None or code in [*codes(decision), *(a.reason.code for a in decision.actions)]


def test_a_high_load_stops_new_pilots() -> None:
    """The limit is an expression, evaluated before."""
    rules = replace(policy(), load_limit=8.0)
    assert codes(run(look(host=replace(HOST, load1=9.0)), rules)) == [Code.HIGH_LOAD]
    assert len(run(look(host=replace(HOST, load1=7.0)), rules).actions) == 4


def test_a_stall_freezes_one_and_the_next_when_it_lasts_anew_and_recovers_slowly() -> None:
    """One at a time, 20 s each; nothing is thawed before a minute without it."""
    stalled = replace(HOST, stalled={"io": Stalled(40, 0)})
    rules, state = signals(**STALL), State()
    seen = look(OLD, YOUNG, host=stalled)
    for after, expected in ((0, []), (20, ["Freeze young"]), (30, []), (40, ["Freeze old"])):
        if after == 30:
            seen = replace(seen, pilots=(OLD, frozen(YOUNG)))
        decision = run(seen, rules, state, NOW + after)
        assert kinds(decision) == expected
        state = carry_out(decision, rules, NOW + after)
    rules = replace(rules, maximum=2)
    calm = look(frozen(OLD), frozen(YOUNG))
    recovering = run(calm, rules, state, NOW + 50)
    assert codes(recovering) == [Code.RECOVERING]
    assert kinds(run(calm, rules, recovering.state, NOW + 99)) == []
    over = run(calm, rules, recovering.state, NOW + 101)
    state = carry_out(over, rules, NOW + 101)
    assert kinds(run(calm, rules, state, NOW + 103)) == ["Thaw old", "Thaw young"]


# --- calendar -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "minute", "lent", "until"),
    [
        ((), 5, True, None),
        (("18:00-08:00",), 7 * 60 + 59, True, "Mon 08:00"),
        (("18:00-08:00",), 8 * 60, False, "Mon 18:00"),
        (("Mon-Fri 18:00-08:00", "Sat,Sun"), 5 * DAY + 720, True, "Mon 00:00"),
        (("Mon-Fri 18:00-08:00", "Sat,Sun"), 4 * DAY + 720, False, "Fri 18:00"),
        (("Sun 22:00-06:00",), 60, True, "Mon 06:00"),
        (("Fri-Mon",), 6 * DAY, True, "Tue 00:00"),
        (("Mon-Sun 00:00-24:00",), 77, True, None),
    ],
)
def test_lending_times(texts: tuple[str, ...], minute: int, lent: bool, until: str | None) -> None:
    """Nights belong to the day they begin on, weeks wrap."""
    lending = Lending(texts)
    assert (minute in lending) is lent
    change = lending.until(minute)
    assert (None if change is None else name_of(change)) == until


@pytest.mark.parametrize("text", ["Mun", "25:00-08:00", "18-8", "Mon 18:00", "", "Mon-"])
def test_bad_times_are_refused(text: str) -> None:
    """Or mean every day, where no day is named at all."""
    if text in ("", "Mon-"):
        assert Lending((text,)).spans
        return
    with pytest.raises(ValueError, match=r"write for example|is no day|is not a time"):
        Lending((text,))


# --- properties -----------------------------------------------------------------------------


class Loop:
    """A steady node, ticked with its own decisions carried out."""

    def __init__(self, rules: Policy, protection: Protection, ncpus: int = 8) -> None:
        """Begin empty."""
        self.rules, self.ncpus, self.pilots, self.count = rules, ncpus, list[Pilot](), 0
        self.host = replace(HOST, ncpus=ncpus, protection=protection)
        self.state, self.now, self.evicted = State(), NOW, 0

    def tick(self, foreground: float, seconds: float = 5.0) -> int:
        """Do one round; returns how many actions it took."""
        self.now += seconds
        promised = sum(p.cpus for p in self.pilots if not p.frozen)
        own = min(promised, self.ncpus - foreground)
        load = CpuLoad(self.ncpus, foreground, own, self.ncpus - foreground - own, 10.0)
        seen = look(*self.pilots, host=self.host, load=load)
        decision = decide(seen, self.rules, self.state, self.now)
        self.state = carry_out(decision, self.rules, self.now)
        for action in decision.actions:
            self._do(action)
        return len(decision.actions)

    def _do(self, action: Any) -> None:
        if isinstance(action, Spawn):
            self.count += 1
            fields = {"cpus": action.profile.cpus, "created_at": self.now, "started_at": self.now}
            new = pilot(f"n{self.count}", deadline_at=None, **fields)
            self.pilots.append(replace(new, profile=action.profile.name))
            return
        self.evicted += action.reason.code in EVICTIONS and not isinstance(action, Freeze)
        others = [p for p in self.pilots if p.id != action.pilot.id]
        if isinstance(action, Freeze | Thaw):
            state = PilotState.PAUSED if isinstance(action, Freeze) else PilotState.RUNNING
            others.append(replace(action.pilot, state=state))
        self.pilots = sorted(others, key=lambda p: (p.created_at, p.id))


LOADS = st.floats(0, 8)


@settings(max_examples=60, deadline=None)
@given(
    LOADS,
    LOADS,
    st.lists(st.sampled_from([0.5, 1.0, 1.5, 3.0]), min_size=1, max_size=3),
    st.integers(0, 12),
    st.sampled_from(Protection),
)
def test_steady_load_reaches_a_fixed_point(
    before: float, then: float, sizes: list[float], maximum: int, protection: Protection
) -> None:
    """After any change of load all is quiet within minutes, and stays so."""
    profiles = [schema.Profile(name=f"p{i}", cpus=c) for i, c in enumerate(sizes)]
    loop = Loop(policy(maximum, *profiles), protection)
    for foreground in (before, then):
        for _ in range(100):
            loop.tick(foreground, 30.0)
        assert sum(loop.tick(foreground, 30.0) for _ in range(300)) == 0
    assert not any(p.frozen for p in loop.pilots)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 60)), max_size=12))
def test_no_pilot_is_evicted_or_frozen_while_no_pressure_exists(
    phases: list[tuple[float, int]],
) -> None:
    """With five pilots at most on eight cores, three cores of foreground are no pressure."""
    loop = Loop(policy(5), Protection.IDLE)
    for foreground, ticks in phases:
        for _ in range(ticks):
            loop.tick(foreground)
            assert not any(p.frozen for p in loop.pilots)
    assert loop.evicted == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(5, 20)), min_size=1, max_size=12))
def test_bursts_shorter_than_the_grace_freeze_nobody(bursts: list[tuple[int, int]]) -> None:
    """Twenty-five seconds of a full machine at most, again and again."""
    loop = Loop(policy(8), Protection.IDLE)
    for busy, calm in bursts:
        for _ in range(busy):
            loop.tick(8.0)
        for _ in range(calm):
            loop.tick(0.0)
        assert not any(p.frozen for p in loop.pilots)
    assert loop.evicted == 0
