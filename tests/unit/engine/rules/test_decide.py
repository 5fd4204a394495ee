"""Decisions as a whole: their end, their reasons, and properties that hold for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config import schema
from plancton.engine.model.action import PilotAction, Remove, Spawn
from plancton.engine.model.node import Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Backoff, Ending, State
from tests.unit.engine.rules.steady import Loop
from tests.unit.engine.rules.tables import NOW, exited, look, pilot, policy, run


@pytest.mark.parametrize("mode", [Mode.STOPPING, Mode.ENDING, Mode.FORCED])
def test_the_engine_ends_only_when_no_pilot_is_left(mode: Mode) -> None:
    """An exited pilot must still be recorded and removed first."""
    assert not run(look(exited("x", 99.0), mode=mode)).finished
    assert not run(look(pilot("a"), mode=mode)).finished
    assert run(look(mode=mode)).finished
    assert not run(look(mode=Mode.DRAINING)).finished


def test_every_reason_makes_a_sentence() -> None:
    """No decision has a reason that cannot be said."""
    state = State(
        overcommitted_since=NOW - 500,
        endings={"e": Ending(Reason.of(Code.OPERATOR, mode="ending"), NOW + 3)},
        backoffs={"default": Backoff(3, NOW + 9, NOW - 1, "exit 1")},
    )
    pilots = [pilot("a"), pilot("e"), exited("x", 1.0), pilot("t", deadline_at=NOW - 1)]
    seen = look(*pilots, foreground=4.0)
    decision = run(seen, state=state)
    said = [str(a.reason) for a in decision.actions] + [str(f) for f in decision.findings]
    assert len(said) >= 5
    assert all(said)


PILOTS = st.lists(
    st.builds(
        lambda i, s, c, age, ttl: pilot(
            f"p{i}",
            state=s,
            cpus=c,
            created_at=NOW - age,
            started_at=NOW - age,
            deadline_at=NOW + ttl,
            finished_at=NOW,
            exit_code=0,
        ),
        st.integers(0, 99),
        st.sampled_from(PilotState),
        st.sampled_from([0.5, 1.0, 2.0, 4.0]),
        st.floats(0, 1000),
        st.floats(-100, 5000),
    ),
    max_size=12,
    unique_by=lambda p: p.id,
)
STATES = st.builds(
    State,
    overcommitted_since=st.none() | st.floats(NOW - 1000, NOW),
    hold_until=st.floats(0, NOW + 100),
    backoffs=st.just({}) | st.just({"default": Backoff(2, NOW + 5, NOW - 3, "x")}),
)


@given(PILOTS, st.floats(0, 4), st.sampled_from(Mode), st.integers(0, 8), STATES)
def test_decisions_keep_the_promises(
    pilots: list[Pilot], foreground: float, mode: Mode, maximum: int, state: State
) -> None:
    """Never over the maximum or N a tick, one action a pilot, no start without room or mode."""
    decision = run(look(*pilots, foreground=foreground, mode=mode), policy(maximum), state)
    starts = [a for a in decision.actions if isinstance(a, Spawn)]
    touched = [a.pilot.id for a in decision.actions if isinstance(a, PilotAction)]
    live = [p for p in pilots if p.live]
    assert len(touched) == len(set(touched))
    assert len(starts) <= 4
    if starts:
        assert mode is Mode.ACTIVE
        gone = {a.pilot.id for a in decision.actions if isinstance(a, Remove)}
        kept = [p for p in live if p.id not in gone]
        assert not any(p.frozen for p in kept if p.id not in touched)
        assert len(kept) + len(starts) <= maximum
        held = sum(p.cpus for p in kept if not p.frozen)
        promised = held + len(starts)
        covers = promised <= 4 and 4 - foreground >= 0.15 * promised - 1e-9
        assert covers or foreground + promised <= 4 + 0.5 + 1e-9
    starved = [a for a in decision.actions if a.reason.code is Code.STARVED]
    if starved:
        assert 4 - foreground < sum(p.cpus for p in live if not p.frozen) / 10
    assert decision.finished is False or not live


LOADS = st.floats(0, 8)


@given(
    LOADS,
    LOADS,
    st.lists(st.sampled_from([0.5, 1.0, 1.5, 3.0]), min_size=1, max_size=3),
    st.integers(0, 12),
    st.sampled_from(Protection),
    st.sampled_from(["balanced", "strict"]),
    st.sampled_from([1.0, 0.6, 0.1]),
)
def test_steady_load_reaches_a_fixed_point(
    before: float,
    then: float,
    sizes: list[float],
    maximum: int,
    protection: Protection,
    mode: str,
    use: float,
) -> None:
    """After any change of load all is quiet within minutes, and stays so."""
    profiles = [schema.Profile(name=f"p{i}", cpus=c) for i, c in enumerate(sizes)]
    protect = schema.Protect.model_validate({"latency": mode})
    loop = Loop(replace(policy(maximum, *profiles), protect=protect), protection, use=use)
    for foreground in (before, then):
        for _ in range(100):
            loop.tick(foreground, 30.0)
        assert sum(loop.tick(foreground, 30.0) for _ in range(120)) == 0
    assert not any(p.frozen for p in loop.pilots)


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
