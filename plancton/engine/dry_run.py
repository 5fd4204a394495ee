"""What another configuration would do now. Pure: the real rules, and nobody acts."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.action import Discard, Prepare, Spawn
from plancton.engine.model.node import Observation
from plancton.engine.model.policy import Policy
from plancton.engine.model.state import State
from plancton.engine.rules.decide import decide
from plancton.engine.views.preview import Planned, Preview

_ALL = 1000


def preview(observation: Observation, policy: Policy, state: State, now: float) -> Preview:
    """Decide as the engine would, but with all starts in one tick."""
    decision = decide(observation, replace(policy, starts_at_once=_ALL), state, now)
    actions = tuple(
        Planned(
            type(action).__name__.lower(),
            action.profile.name if isinstance(action, Spawn) else action.pilot.name,
            str(action.reason),
        )
        for action in decision.actions
        if not isinstance(action, Prepare | Discard)
    )
    return Preview(policy.maximum, actions, tuple(map(str, decision.findings)))
