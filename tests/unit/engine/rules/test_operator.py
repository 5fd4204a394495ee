"""What is done with a pilot by the operator's word."""

from __future__ import annotations

import pytest

from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import PilotState
from tests.unit.engine.rules.tables import kinds, look, pilot, policy, run


@pytest.mark.parametrize(
    ("state", "mode", "expected"),
    [
        (PilotState.EXITED, Mode.ACTIVE, "Remove a"),
        (PilotState.DEAD, Mode.DRAINING, "Remove a"),
        (PilotState.REMOVING, Mode.FORCED, None),
        (PilotState.RUNNING, Mode.FORCED, "Kill a"),
        (PilotState.PAUSED, Mode.FORCED, "Kill a"),
        (PilotState.CREATED, Mode.FORCED, "Remove a"),
        (PilotState.RUNNING, Mode.ENDING, "Terminate a"),
        (PilotState.CREATED, Mode.ENDING, "Remove a"),
        (PilotState.RUNNING, Mode.STOPPING, None),
        (PilotState.RUNNING, Mode.DRAINING, None),
        (PilotState.CREATED, Mode.STOPPING, "Remove a"),
    ],
)
def test_ends_pilots_by_state_and_mode(state: PilotState, mode: Mode, expected: str | None) -> None:
    """What is done with one pilot in each state, by the operator's word."""
    decision = run(look(pilot("a", state=state), mode=mode), policy(0 if mode == "active" else 1))
    assert kinds(decision) == ([expected] if expected else [])
