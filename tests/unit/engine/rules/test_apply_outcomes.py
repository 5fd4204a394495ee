"""What an action that was done, or failed, leaves in the state."""

from __future__ import annotations

import pytest

from plancton.engine.model.action import Action, Freeze, Kill, Outcome, Remove, Terminate
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import State
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.engine.rules.tables import NOW, pilot, policy


@pytest.mark.parametrize(
    ("action", "held"),
    [
        (Terminate(pilot("a"), Reason.of(Code.PRESSURE)), True),
        (Terminate(pilot("a"), Reason.of(Code.TTL)), False),
        (Terminate(pilot("a"), Reason.of(Code.SHRINK)), False),
        (Kill(pilot("a"), Reason.of(Code.OPERATOR)), False),
        (Remove(pilot("a"), Reason.of(Code.EXITED)), False),
        (Terminate(pilot("a"), Reason.of(Code.LOW_MEMORY)), True),
        (Freeze(pilot("a"), Reason.of(Code.PRESSURE)), False),
    ],
)
def test_only_an_eviction_arms_the_hold(action: Action, held: bool) -> None:
    """Normal exits, TTL, and orders never delay the next start."""
    state = apply_outcome(State(), Outcome(action), policy(), NOW)
    assert (state.hold_until > NOW) is held
    failed = apply_outcome(State(), Outcome(action, error="no"), policy(), NOW)
    assert failed.hold_until == 0
