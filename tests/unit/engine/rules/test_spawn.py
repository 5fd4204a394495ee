"""How many pilots start, and what keeps it from more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.action import Spawn
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code
from plancton.engine.model.state import State
from tests.unit.engine.rules.tables import NOW, codes, guarded, kinds, look, pilot, policy, run

ROAMING = guarded(latency="off")


@pytest.mark.parametrize(
    ("seen", "rules", "starts", "found"),
    [
        (look(), policy(4), 4, [Code.FULL]),
        (look(), policy(9), 4, [Code.NO_ROOM]),
        (look(), policy(4, per_tick=2), 2, [Code.PER_TICK]),
        (look(foreground=2.0), ROAMING, 2, [Code.NO_ROOM]),
        (look(foreground=2.4), ROAMING, 2, [Code.NO_ROOM]),
        (look(foreground=2.6), ROAMING, 1, [Code.NO_ROOM]),
        (look(), policy(4, ceiling=0.5), 2, [Code.NO_ROOM]),
        (look(), policy(4, reserve=3), 1, [Code.NO_ROOM]),
        (look(), policy(0), 0, [Code.FULL]),
        (look(load=None), policy(4), 0, [Code.WARMING_UP]),
        (look(mode=Mode.DRAINING), policy(4), 0, [Code.MODE]),
        (look(), replace(policy(4), drain=True), 0, [Code.CONFIG_DRAIN]),
        (look(mode=Mode.DRAINING), replace(policy(4), drain=True), 0, [Code.MODE]),
        (look(images={}), policy(4), 0, [Code.NO_IMAGE]),
        (look(pilot("a"), pilot("b")), policy(3), 1, [Code.FULL]),
        (look(pilot("a", state=PilotState.CREATED, created_at=NOW)), policy(2), 1, [Code.FULL]),
        (look(pilot("a", state=PilotState.PAUSED)), policy(1), 0, [Code.FROZEN_FIRST]),
        (look(), policy(1), 1, [Code.FULL]),
    ],
)
def test_spawns_by_room_maximum_and_count(
    seen: Observation, rules: Policy, starts: int, found: list[Code]
) -> None:
    """Starts as many as fit, and says what keeps it from more."""
    decision = run(seen, rules)
    assert sum(isinstance(a, Spawn) for a in decision.actions) == starts
    assert codes(decision) == found


def test_the_hold_is_said_and_ends() -> None:
    """Nothing starts while it lasts."""
    state = State(hold_until=NOW + 60)
    assert codes(run(look(), state=state)) == [Code.HOLD]
    assert kinds(run(look(), state=state, now=NOW + 60)) == ["Spawn"] * 4


def test_a_policy_may_forbid_starts_by_an_expression() -> None:
    """And says which."""
    rules: Policy = replace(policy(4), when=False, when_text="foreground_5m < 1")
    assert str(run(look(), rules).findings[0]) == "spawn.when is not true: foreground_5m < 1"
