"""Take into the state what came of the actions. Pure, like ``decide``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plancton.engine.backoff import after_failure
from plancton.engine.model import Ending, Kill, Outcome, Policy, Spawn, State, Terminate
from plancton.engine.reasons import Code

KILL_AGAIN = 10.0
"""Seconds after which a pilot that survived SIGKILL (stuck in the kernel) is sent it again."""


def settle(state: State, outcomes: Iterable[Outcome], policy: Policy, now: float) -> State:
    """Return the state after *outcomes*; what failed is decided afresh at the next tick."""
    for outcome in outcomes:
        state = _one(state, outcome, policy, now)
    return state


def _one(state: State, outcome: Outcome, policy: Policy, now: float) -> State:
    action = outcome.action
    if isinstance(action, Spawn):
        return _start_failed(state, outcome, action, policy, now) if outcome.error else state
    if outcome.error:
        return state
    evicted = action.reason.code is Code.PRESSURE
    if isinstance(action, Terminate):
        ending = Ending(action.reason, now + action.pilot.grace)
        state = replace(state, endings={**state.endings, action.pilot.id: ending})
    elif isinstance(action, Kill):
        known = state.endings.get(action.pilot.id)
        ending = Ending(known.reason if known else action.reason, now + KILL_AGAIN)
        state = replace(state, endings={**state.endings, action.pilot.id: ending})
    if evicted:
        hold = now + policy.protect.hold_after_eviction
        state = replace(state, pressure_since=None, hold_until=hold)
    return state


def _start_failed(
    state: State, outcome: Outcome, action: Spawn, policy: Policy, now: float
) -> State:
    name = action.profile.name
    failed = after_failure(state.backoffs.get(name), now, policy.spawn, outcome.error, now)
    return replace(state, backoffs={**state.backoffs, name: failed})
