"""Frozen pilots go on when there is room."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.node import CpuLoad
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Frozen, State
from tests.unit.engine.rules.tables import (
    HOST,
    LOW_WEIGHT,
    NOW,
    OLD,
    YOUNG,
    codes,
    frozen,
    kinds,
    look,
    policy,
    pressed,
    run,
)


def test_thaws_the_last_frozen_first_when_there_has_been_room_for_long_enough() -> None:
    """In the reverse order of freezing, as far as there is room; nothing starts before."""
    seen = look(frozen(OLD), frozen(YOUNG), foreground=2.6, host=LOW_WEIGHT)
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
    still = look(OLD, frozen(YOUNG), foreground=2.6, host=LOW_WEIGHT)
    again = run(still, state=later.state, now=NOW + 9)
    assert kinds(again) == []


def test_a_short_look_is_enough_to_thaw() -> None:
    """The mean of ten seconds lags behind; the last second shows that the burst is over."""
    state = State(frozen={"old": Frozen(Reason.of(Code.PRESSURE), NOW - 9)}, room_since=NOW - 2)
    calm = CpuLoad(4, 0.1, 0.0, 3.9, 1.0)
    assert kinds(run(pressed(frozen(OLD), recent=calm), policy(1), state)) == ["Thaw old"]


def test_pilots_found_frozen_are_taken_over() -> None:
    """After a restart, or paused by hand: they go on when there is room, or end in their time."""
    first = run(look(frozen(OLD)), policy(1))
    assert kinds(run(look(frozen(OLD)), policy(1), first.state, NOW + 2)) == ["Thaw old"]
    busy = run(pressed(frozen(OLD)))
    assert kinds(run(pressed(frozen(OLD)), state=busy.state, now=NOW + 119)) == []
    assert kinds(run(pressed(frozen(OLD)), state=busy.state, now=NOW + 120)) == ["Terminate old"]


def test_draining_nodes_thaw_too() -> None:
    """Else they would never be empty."""
    seen = look(frozen(OLD), mode=Mode.DRAINING)
    assert kinds(run(seen, state=State(room_since=NOW - 2))) == ["Thaw old"]


def test_a_pilot_stays_frozen_while_the_memory_it_gave_back_is_taken() -> None:
    """Thawed into that shortage it would be ended for it; it goes on when there is memory again."""
    gave = replace(frozen(OLD), swapped=5 * 10**9)
    state = State(frozen={"old": Frozen(Reason.of(Code.PRESSURE), NOW - 9)}, room_since=NOW - 9)
    short = replace(HOST, memory_available=6 * 10**9)
    held = run(look(gave, host=short), state=state)
    assert kinds(held) == []
    (finding,) = [each for each in held.findings if each.code is Code.NO_MEMORY_TO_THAW]
    assert "needs 5 GB back from swap, and only 3.4 GB" in str(finding)
    assert kinds(run(look(gave), policy(1), state)) == ["Thaw old"]
