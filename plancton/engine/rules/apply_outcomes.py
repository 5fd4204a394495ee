"""Take into state and pilots what came of the actions. Pure, like ``decide``."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.action import (
    Discard,
    Freeze,
    Kill,
    Outcome,
    PilotAction,
    Prepare,
    Remove,
    Spawn,
    Terminate,
    Thaw,
)
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import EVICTIONS, Reason
from plancton.engine.model.state import Ending, FailedRemoval, Frozen, State
from plancton.engine.rules.backoff import after_failure, after_spare_failure

KILL_AGAIN = 10.0
"""Seconds after which a pilot that survived SIGKILL (stuck in the kernel) is sent it again."""

REMOVE_AGAIN, REMOVE_AGAIN_LONGEST = 1.0, 300.0
"""Seconds after which a container that could not be removed is tried again: at first, at most."""


def apply_outcome(state: State, outcome: Outcome, policy: Policy, now: float) -> State:
    """Return the state after an *outcome*; what failed is decided afresh at the next tick."""
    action = outcome.action
    if isinstance(action, Spawn):
        return _start_failed(state, outcome, action, policy, now) if outcome.error else state
    if outcome.error or isinstance(action, Prepare | Discard):
        return _failed(state, action, now) if outcome.error else state
    id_, frozen = action.pilot.id, state.frozen
    match action:
        case Freeze():
            state = replace(state, frozen={**frozen, id_: Frozen(action.reason, now)})
            state = _restart_timers(state, action.reason, now)
        case Thaw():
            others = {key: value for key, value in frozen.items() if key != id_}
            state = replace(state, frozen=others)
        case Terminate():
            state = _ending(state, id_, Ending(action.reason, now + action.pilot.grace))
        case Kill():
            known = state.endings.get(id_)
            reason = known.reason if known else action.reason
            state = _ending(state, id_, Ending(reason, now + KILL_AGAIN))
        case Remove() if id_ in state.endings:
            # What it held is free only now.
            state = _restart_alarms(state, state.endings[id_].reason, now)
    if isinstance(action, Terminate | Kill | Remove) and action.reason.code in EVICTIONS:
        state = replace(state, hold_until=now + policy.protect.hold_after_eviction)
        state = _restart_timers(state, action.reason, now)
    return state


def _failed(state: State, action: PilotAction | Prepare | Discard, now: float) -> State:
    match action:
        case Prepare():
            name, known = action.profile.name, state.spare_failures
            failed = after_spare_failure(known.get(name), now)
            return replace(state, spare_failures={**known, name: failed})
        case Discard():
            return _removal_failed(state, action.spare.id, now)
        case Remove():
            return _removal_failed(state, action.pilot.id, now)
    return state


def _removal_failed(state: State, id_: str, now: float) -> State:
    """Have a container that could not be removed tried again later: Docker may hang on it."""
    known = state.failed_removals.get(id_)
    failures = known.failures + 1 if known else 1
    wait = backoff_delay(failures, REMOVE_AGAIN, REMOVE_AGAIN_LONGEST)
    failed = FailedRemoval(failures, now + wait)
    return replace(state, failed_removals={**state.failed_removals, id_: failed})


def _ending(state: State, id_: str, ending: Ending) -> State:
    return replace(state, endings={**state.endings, id_: ending})


def _restart_timers(state: State, reason: Reason, now: float) -> State:
    """Have what asked for one pilot last anew before it asks for the next."""
    return replace(_restart_alarms(state, reason, now), overcommitted_since=None)


def _restart_alarms(state: State, reason: Reason, now: float) -> State:
    tracked_alarms = {
        key: replace(tracked, since=now)
        if tracked.alarm.reason.code is reason.code and not tracked.alarm.all_at_once
        else tracked
        for key, tracked in state.tracked_alarms.items()
    }
    return replace(state, tracked_alarms=tracked_alarms)


def _start_failed(
    state: State, outcome: Outcome, action: Spawn, policy: Policy, now: float
) -> State:
    profile = action.profile
    if outcome.image_missing:
        # Somebody removed the image that was kept; the reference is looked up again.
        others = {key: each for key, each in state.rollouts.items() if key != profile.image}
        state = replace(state, rollouts=others)
    begun = now if outcome.begun_at is None else outcome.begun_at  # a batch fails once
    failed = after_failure(
        state.backoffs.get(profile.name), now, policy.spawn, profile, outcome.error, begun
    )
    return replace(state, backoffs={**state.backoffs, profile.name: failed})


def apply_to_pilots(pilots: tuple[Pilot, ...], outcome: Outcome) -> tuple[Pilot, ...]:
    """Return the pilots as they are after an action: a view need not wait for the next look."""
    action = outcome.action
    if outcome.error or isinstance(action, Prepare | Discard):
        return pilots
    if isinstance(action, Spawn):
        # One that was under way for a while has been listed, or has even gone.
        new = outcome.started if outcome.begun_at is None else None
        return pilots if new is None else (*pilots, new)
    match action:
        case Remove():
            return tuple(pilot for pilot in pilots if pilot.id != action.pilot.id)
        case Freeze():
            now = PilotState.PAUSED
        case Thaw():
            now = PilotState.RUNNING
        case _:
            return pilots
    return tuple(
        replace(pilot, state=now) if pilot.id == action.pilot.id else pilot for pilot in pilots
    )
