"""The owner's own objectives: above the limit pilots give way; what is not known harms nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.schema import Objective
from plancton.engine.model.node import CpuLoad, Observation
from plancton.engine.model.objective import Reading
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Frozen, State
from plancton.engine.rules.objectives import known_value, objective_alarms
from tests.unit.engine.rules.tables import (
    HOST,
    NOW,
    OLD,
    YOUNG,
    carry_out,
    codes,
    frozen,
    guarded,
    kinds,
    look,
    run,
)

LATENCY = {"name": "shop latency", "command": ["/bin/p99"], "limit": 25, "unit": "ms"}


def read(value: float | None, *pilots: Pilot, age: float = 1.0, error: str = "") -> Observation:
    """Return a node whose figure was read *age* seconds ago."""
    reading = Reading(value, NOW - age, error)
    return look(*pilots, objectives={"shop latency": reading})


def later(seen: Observation, seconds: float) -> Observation:
    """Return the same, read again after so many seconds."""
    readings = {name: replace(each, at=each.at + seconds) for name, each in seen.objectives.items()}
    return replace(seen, host=replace(HOST, at=NOW + seconds), objectives=readings)


@pytest.mark.parametrize(
    ("changes", "value", "acts", "code"),
    [
        ({"after": 0}, 25, ["Spawn"] * 2, None),
        ({"after": 0}, 25.1, ["Freeze young"], Code.OBJECTIVE),
        ({}, 26, [], Code.OBJECTIVE),
        ({"step": "stop"}, 26, [], Code.OBJECTIVE),
        ({"step": "evict", "after": 0}, 26, ["Terminate young"], Code.OBJECTIVE),
        ({"step": "off"}, 26, ["Spawn"] * 2, None),
        ({}, None, ["Spawn"] * 2, None),
    ],
)
def test_above_its_limit_an_objective_asks_for_its_step(
    changes: dict[str, Any], value: float | None, acts: list[str], code: Code | None
) -> None:
    """Of one pilot, the youngest, once it has lasted; starts stop at once."""
    decision = run(read(value, OLD, YOUNG), guarded(slo=[{**LATENCY, **changes}]))
    assert kinds(decision) == acts
    assert code is None or code in [*codes(decision), *(a.reason.code for a in decision.actions)]


def test_one_pilot_is_frozen_each_time_it_lasts_anew_and_goes_on_alone() -> None:
    """The sentence says figure, limit and how long; the next goes on after recover again."""
    rules = guarded(slo=[LATENCY], evict_after="600s")
    state, seen = State(), read(41, OLD, YOUNG)
    for after, expected in ((0, []), (20, ["Freeze young"]), (30, []), (40, ["Freeze old"])):
        if after == 30:
            seen = replace(seen, pilots=(OLD, frozen(YOUNG)))
        decision = run(later(seen, after), rules, state, NOW + after)
        assert kinds(decision) == expected
        if after == 20:
            words = "shop latency is 41 ms, over its limit of 25 ms for 20 s"
            assert str(decision.actions[0].reason) == words
        state = carry_out(decision, rules, NOW + after)
    rules, calm = replace(rules, maximum=2), read(10, frozen(OLD), frozen(YOUNG))
    for after, expected in ((41, []), (99, []), (101, []), (103, ["Thaw old"])):
        decision = run(later(calm, after), rules, state, NOW + after)
        assert kinds(decision) == expected
        state = carry_out(decision, rules, NOW + after)
    calm = read(10, OLD, frozen(YOUNG))
    for after, expected in ((104, []), (162, []), (163, []), (165, ["Thaw young"])):
        decision = run(later(calm, after), rules, state, NOW + after)
        assert kinds(decision) == expected
        assert after == 165 or decision.due is not None
        state = carry_out(decision, rules, NOW + after)


def test_pilots_frozen_for_something_else_do_not_wait_for_each_other() -> None:
    """Only those frozen for an objective go on one by one."""
    rules = replace(guarded(slo=[LATENCY]), maximum=2)
    why = {"old": Code.OBJECTIVE, "young": Code.BATTERY}
    state = State(
        frozen={
            name: Frozen(Reason.of(code, objective="shop latency"), NOW - 9)
            for name, code in why.items()
        },
        thaw_hold_until=NOW + 50,
    )
    seen = read(1, frozen(OLD), frozen(YOUNG))
    first = run(seen, rules, state)
    assert kinds(run(later(seen, 2), rules, first.state, NOW + 2)) == ["Thaw young"]


@pytest.mark.parametrize(
    ("value", "age", "error", "known", "says"),
    [
        (41.0, 0.0, "", 41.0, ""),
        (41.0, 17.0, "the command failed", 41.0, ""),
        (41.0, 17.1, "the command failed", None, "the command failed"),
        (41.0, 17.1, "", None, "it was last read 17 s ago"),
        (None, 0.0, "the command failed", None, "the command failed"),
        (None, 0.0, "", None, ""),
    ],
)
def test_what_is_not_known_is_said_and_is_no_violation(
    value: float | None, age: float, error: str, known: float | None, says: str
) -> None:
    """A reading counts for three intervals and a timeout, whatever failed since."""
    objective = Objective.model_validate(LATENCY)
    seen = read(value, OLD, age=age, error=error)
    assert known_value(objective, seen) == known
    decision = run(seen, guarded(slo=[{**LATENCY, "after": 0}]))
    assert (kinds(decision)[0] == "Freeze old") == (known is not None)
    found = [f for f in decision.findings if f.code is Code.OBJECTIVE_UNKNOWN]
    assert [str(f) for f in found] == (
        [f"shop latency is not known, so pilots run as without this objective: {says}"]
        if says
        else []
    )


@given(
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1000),
    st.floats(-100, 100),
)
def test_only_a_fresh_value_above_the_limit_is_an_alarm(
    value: float | None, age: float, limit: float
) -> None:
    """For any figures."""
    objective = Objective.model_validate({**LATENCY, "limit": limit})
    found = list(objective_alarms(read(value, age=age), [objective]))
    fresh = HOST.at - (NOW - age) <= 17
    assert bool(found) == (value is not None and fresh and value > limit)


@pytest.mark.parametrize(
    ("waited", "missing", "acts", "says"),
    [
        (30.0, "", ["Freeze old"], "the wait is 30 ms/s, over its limit of 25 ms/s for 0 s"),
        (25.0, "", ["Spawn"] * 3, ""),
        (None, "", ["Spawn"] * 3, ""),
        (None, "no schedstat", ["Spawn"] * 3, "the wait is not known, so pilots run as without"),
    ],
)
def test_what_the_owner_waited_may_be_the_figure(
    waited: float | None, missing: str, acts: list[str], says: str
) -> None:
    """Measured by Plancton itself; where that cannot be, it says so."""
    slo = {"name": "the wait", "waited": True, "limit": 25, "after": 0}
    load = CpuLoad(4, 0.0, 0.0, 4.0, 10.0, None if waited is None else waited / 1000)
    seen = look(OLD, host=replace(HOST, waited_missing=missing), load=load)
    decision = run(seen, guarded(slo=[slo]))
    assert kinds(decision) == acts
    said = [str(each.reason) for each in decision.actions] + [str(f) for f in decision.findings]
    assert not says or any(text.startswith(says) for text in said)
