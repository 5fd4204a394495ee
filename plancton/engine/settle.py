"""Take into the state what came of the actions. Pure, like ``decide``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plancton.engine.actions import Freeze, Kill, Outcome, Remove, Spawn, Terminate, Thaw
from plancton.engine.backoff import after_failure
from plancton.engine.model import Policy
from plancton.engine.reasons import EVICTIONS, Reason
from plancton.engine.state import Ending, Frozen, State

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
    id_, frozen = action.pilot.id, state.frozen
    match action:
        case Freeze():
            state = replace(state, frozen={**frozen, id_: Frozen(action.reason, now)})
            state = _begin_anew(state, action.reason, now)
        case Thaw():
            others = {key: value for key, value in frozen.items() if key != id_}
            state = replace(state, frozen=others)
        case Terminate():
            state = _ending(state, id_, Ending(action.reason, now + action.pilot.grace))
        case Kill():
            known = state.endings.get(id_)
            reason = known.reason if known else action.reason
            state = _ending(state, id_, Ending(reason, now + KILL_AGAIN))
    if isinstance(action, Terminate | Remove) and action.reason.code in EVICTIONS:
        state = replace(state, hold_until=now + policy.protect.hold_after_eviction)
        state = _begin_anew(state, action.reason, now)
    return state


def _ending(state: State, id_: str, ending: Ending) -> State:
    return replace(state, endings={**state.endings, id_: ending})


def _begin_anew(state: State, reason: Reason, now: float) -> State:
    """Have what asked for one pilot last anew before it asks for the next."""
    watches = {
        key: replace(watch, since=now)
        if watch.alarm.reason.code is reason.code and not watch.alarm.all_at_once
        else watch
        for key, watch in state.watches.items()
    }
    return replace(state, watches=watches, overcommitted_since=None)


def _start_failed(
    state: State, outcome: Outcome, action: Spawn, policy: Policy, now: float
) -> State:
    profile = action.profile
    if outcome.image_missing:
        # Somebody removed the image that was kept; the reference is looked up again.
        others = {key: each for key, each in state.rollouts.items() if key != profile.image}
        state = replace(state, rollouts=others)
    failed = after_failure(
        state.backoffs.get(profile.name), now, policy.spawn, profile, outcome.error, now
    )
    return replace(state, backoffs={**state.backoffs, profile.name: failed})
