"""Rule: pilots may use idle cores beyond their promise, in the idle class only. Pure.

There they take nothing from the owner. Anywhere else each core more that a pilot uses is one the
owner waits for, and the owner's work looks smaller than it is.
"""

from __future__ import annotations

from dataclasses import replace

from plancton.config import schema
from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.action import Spawn
from plancton.engine.model.node import HostSample, Limit, Protection
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.placement import BindFailure
from plancton.engine.model.quotas import Quotas
from plancton.engine.model.state import State
from plancton.engine.rules.context import DecisionContext

_EXACT = 1e-3
"""Cores by which a quota may differ from what was asked for: it is in whole microseconds."""
TRY_AGAIN, TRY_AGAIN_LONGEST = 60.0, 3600.0
"""Seconds after which an engine that refused a quota is asked again: at first, at most."""


def set_quotas(context: DecisionContext) -> None:
    """Decide how many cores each pilot may use, those included that are about to start."""
    if Limit.CPUS in context.observation.unenforced:
        return
    why_not = why_held(context.observation.host, context.policy.spawn)
    context.actions = [
        replace(action, held_to=action.profile.cpus if why_not else action.profile.most_cores)
        if isinstance(action, Spawn)
        else action
        for action in context.actions
    ]
    able = [pilot for pilot in context.live() if may_use_more(pilot)]
    changed = {
        pilot.id: wanted
        for pilot in able
        if pilot.held_to is not None
        and _differ(pilot.held_to, wanted := _wanted(pilot, held=bool(why_not)))
    }
    if not changed:
        context.quota_failure = None  # nothing is left that could fail
    failure = context.quota_failure
    waits = failure is not None and context.now < failure.retry_at
    if able or any(profile.most_cores > profile.cpus for profile in context.policy.profiles):
        text = f"pilots are held to the cores promised to them: {why_not}"
        text = text if why_not else "pilots may use idle cores beyond those promised to them"
        context.quotas = Quotas(text, {} if waits else changed)


def why_held(host: HostSample | None, limits: schema.Spawn) -> str:
    """Return why no pilot may use more than its promise; empty: each may, as far as is known."""
    if limits.ceiling < 1 or limits.reserve > 0:
        return "spawn.ceiling or spawn.reserve keeps cores free"
    if host is not None and host.protection is not Protection.IDLE:
        return "they are not in the idle class"
    if host is not None and host.own_seconds is None:
        return "their CPU time cannot be told from the foreground's"
    return ""


def may_use_more(pilot: Pilot) -> bool:
    """Say whether a pilot was started as one that may use more than its promise."""
    return pilot.most_cores is not None and pilot.most_cores > pilot.cpus


def _wanted(pilot: Pilot, *, held: bool) -> float:
    return pilot.cpus if held or pilot.most_cores is None else pilot.most_cores


def _differ(now: float, wanted: float) -> bool:
    return now != wanted and not abs(now - wanted) <= _EXACT


def quota_refused(state: State, why: str, now: float) -> State:
    """Return the state after a quota could not be changed: it is tried again later."""
    failures = state.quota_failure.failures + 1 if state.quota_failure else 1
    wait = backoff_delay(failures, TRY_AGAIN, TRY_AGAIN_LONGEST)
    return replace(state, quota_failure=BindFailure(failures, now + wait, why))
