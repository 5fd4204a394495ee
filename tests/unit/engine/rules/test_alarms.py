"""Memory, disk, users, battery, calendar, load and stalls: each stops, freezes or ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plancton.engine.model.node import Stalled
from plancton.engine.model.reason import Code
from plancton.engine.model.state import State
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
    policy,
    run,
)

NO_DISK = {"disk": {"stop_below": "off", "evict_below": "off"}}
USER = {"user": {"presence": "active", "recover": "60s"}}
CALENDAR = {"calendar": {"lend": ["18:00-08:00"]}}
STALL = {"stall": {"io": {"stop_above": 10, "freeze_above": 30, "evict_above": 60}}}


@pytest.mark.parametrize(
    ("protect", "host", "acts", "code"),
    [
        ({}, {"disk_free": 10**9}, [], Code.LOW_DISK),
        ({"disk": {"stop_below": "20%"}}, {}, [], Code.LOW_DISK),
        (NO_DISK, {"disk_free": 0}, ["Spawn"] * 2, None),
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
    decision = run(look(OLD, YOUNG, host=replace(HOST, **host)), guarded(**protect))
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
    rules, state = guarded(**STALL), State()
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
