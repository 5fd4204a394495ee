"""What has ended, or never started, is removed."""

from __future__ import annotations

from plancton.engine.model.action import Outcome, Remove
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import PilotState
from plancton.engine.model.state import State
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.engine.rules.tables import NOW, kinds, look, pilot, policy, run


def test_an_orphan_is_removed_only_after_its_time_to_start() -> None:
    """A created container may still be starting; later, or after a reboot, it is an orphan."""
    young = look(pilot("a", state=PilotState.CREATED, created_at=NOW - 29), mode=Mode.DRAINING)
    old = look(pilot("a", state=PilotState.CREATED, created_at=NOW - 31), mode=Mode.DRAINING)
    before = look(pilot("a", state=PilotState.CREATED, created_at=NOW + 9e4), mode=Mode.DRAINING)
    assert kinds(run(young)) == []
    assert kinds(run(old)) == ["Remove a"]
    assert kinds(run(before)) == ["Remove a"]


def test_a_removal_that_failed_is_tried_again_later_and_later() -> None:
    """Docker may hang on one container: it is left alone meanwhile, and holds no room."""
    orphan = pilot("a", state=PilotState.CREATED, created_at=NOW - 31)
    observation = look(orphan, mode=Mode.DRAINING)
    state, now, waits = State(), NOW, []
    for _ in range(12):
        decision = run(observation, state=state, now=now)
        (action,) = (each for each in decision.actions if isinstance(each, Remove))
        assert decision.committed == 0
        state = apply_outcome(decision.state, Outcome(action, error="busy"), policy(), now)
        retry = state.failed_removals["a"].retry_at
        between = run(observation, state=state, now=retry - 0.1)
        assert "Remove a" not in kinds(between)
        assert between.committed == 0
        waits.append(retry - now)
        now = retry
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300
    assert run(look(), state=state, now=now).state.failed_removals == {}
