"""Starts under way, in decisions: a property that holds for all of them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plancton.config import schema
from plancton.engine.model.action import PilotAction, Remove, Spawn, Starting
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import State
from plancton.engine.rules.spawn import FEWEST_STARTS, SLOW_START
from tests.unit.engine.rules.tables import NOW, look, policy, run
from tests.unit.engine.rules.test_decide import PILOTS, STATES


def _check_room(foreground: float, promised: float) -> None:
    """No pilot starts above the room but to cover a core, where all get a quarter of theirs."""
    covers = promised <= 4 and 4 - foreground >= 0.25 * promised
    assert covers or foreground + promised <= 4 + 0.5 + 1e-9


_STARTING = st.builds(
    lambda cpus, age, count: [
        Starting(f"s{i}", Spawn(schema.Profile(cpus=cpus), Reason.of(Code.ROOM)), NOW - age)
        for i in range(count)
    ],
    st.sampled_from([0.5, 1.0, 2.0]),
    st.floats(0, 60),
    st.integers(0, 20),
)


@given(PILOTS, st.floats(0, 4), st.sampled_from(Mode), st.integers(0, 40), STATES, _STARTING)
def test_starts_under_way_count(
    pilots: list[Pilot],
    foreground: float,
    mode: Mode,
    maximum: int,
    state: State,
    starting: list[Starting],
) -> None:
    """In maximum, room and starts at a time, as if their pilots were there; none is ended."""
    under_way = tuple(starting)
    seen = look(*pilots, foreground=foreground, mode=mode, starting=under_way)
    decision = run(seen, policy(maximum), state)
    starts = [a for a in decision.actions if isinstance(a, Spawn)]
    gone = {a.pilot.id for a in decision.actions if isinstance(a, Remove)}
    kept = [p for p in pilots if p.live and p.id not in gone]
    if starts:
        assert len(kept) + len(starting) + len(starts) <= maximum
        held = sum(p.cpus for p in kept if not p.frozen)
        held += sum(each.profile.cpus for each in starting)
        _check_room(foreground, held + len(starts))
        assert len(starting) + len(starts) <= FEWEST_STARTS  # a slow one keeps others back
        assert all(NOW - each.since < SLOW_START for each in starting)
    there = [replace(each.pilot, id=each.name) for each in starting]
    with_pilots = run(
        look(*pilots, *there, foreground=foreground, mode=mode), policy(maximum), state
    )
    assert len(starts) <= sum(isinstance(a, Spawn) for a in with_pilots.actions)
    assert not decision.finished or not starting
    touched = {a.pilot.name for a in decision.actions if isinstance(a, PilotAction)}
    assert not touched & {each.name for each in starting}
