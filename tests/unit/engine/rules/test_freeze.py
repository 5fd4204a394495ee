"""Pressure on the CPU freezes pilots, and ends them when it lasts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.node import CpuLoad, Protection
from plancton.engine.model.reason import Code
from plancton.engine.model.state import State
from tests.unit.engine.rules.tables import (
    HOST,
    LOW_WEIGHT,
    NOW,
    OLD,
    YOUNG,
    carry_out,
    codes,
    frozen,
    guarded,
    kinds,
    look,
    pilot,
    policy,
    pressed,
    run,
)


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
    why = "it was frozen for 2 min, because pilots hardly get on since 30 s: 0.0 cores are left"
    assert why in str(late.actions[0].reason)


def test_beside_others_work_pilots_go_as_soon_as_they_are_promised_too_much() -> None:
    """Without the idle class, at a low weight."""
    seen = pressed(OLD, host=LOW_WEIGHT)
    due = run(seen, state=State(overcommitted_since=NOW - 60))
    assert kinds(due) == ["Freeze old"]
    assert str(due.actions[0].reason) == (
        "the CPU is overcommitted by 1.0 cores since 1 min: the foreground uses 4.0 of 4, "
        "1 are promised to pilots"
    )


@pytest.mark.parametrize(
    ("foreground", "starved", "freezes"),
    [(3.5, 0.1, 0), (3.61, 0.1, 1), (3.75, 0.1, 2), (4.0, 0.1, 4), (3.5, 0.2, 2), (3.99, 0.0, 0)],
)
def test_in_the_idle_class_only_starved_pilots_are_frozen(
    foreground: float, starved: float, freezes: int
) -> None:
    """Four that get a tenth of their cores run on; of those that get less, as many as it takes."""
    four = [pilot(f"p{i}", created_at=NOW - i) for i in range(4)]
    state = State(overcommitted_since=NOW - 60)
    decision = run(look(*four, foreground=foreground), guarded(starved=starved), state)
    assert [a.reason.code for a in decision.actions] == [Code.STARVED] * freezes


def test_with_strict_none_is_frozen_for_the_cpu() -> None:
    """A core without a pilot would pull the owner's threads together."""
    state = State(overcommitted_since=NOW - 150)
    decision = run(look(OLD, YOUNG, foreground=3.99), guarded(latency="strict"), state)
    assert not decision.actions
    assert decision.state.overcommitted_since is None


def test_only_what_is_too_much_is_frozen_the_youngest_first() -> None:
    """Three cores of foreground leave room for one of three pilots."""
    third = pilot("third", created_at=NOW - 5)
    seen = look(OLD, YOUNG, third, foreground=3.0, host=LOW_WEIGHT)
    state = State(overcommitted_since=NOW - 60)
    assert kinds(run(seen, state=state)) == ["Freeze third", "Freeze young"]


def test_a_burst_shorter_than_the_grace_leaves_no_trace() -> None:
    """The clock of pressure begins anew."""
    burst = run(pressed(OLD))
    calm = run(look(OLD), state=burst.state, now=NOW + 20)
    again = run(pressed(OLD), state=calm.state, now=NOW + 31)
    assert calm.state.overcommitted_since is None
    assert kinds(again) == []


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


def test_a_pilot_that_is_asked_to_go_now_counts_no_more() -> None:
    """Nobody is frozen beside it for the room that it leaves."""
    going = replace(YOUNG, deadline_at=NOW)
    seen = look(OLD, going, foreground=3.0, host=LOW_WEIGHT)
    decision = run(seen, state=State(overcommitted_since=NOW - 60))
    assert kinds(decision) == ["Terminate young"]
