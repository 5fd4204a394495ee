"""What falls due next, if nothing comes between. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from plancton.engine.model.action import Due
from plancton.engine.model.operator import Mode
from plancton.engine.model.policy import evict_after, freeze_after
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext

_Due = tuple[float, Code, str, str]
"""When, what, whose, and what is to be done."""


def next_due(context: DecisionContext) -> Due | None:
    """Return the next known thing that falls due."""
    every = (*_pilots(context), *_alarms(context), *_pressure(context))
    first = min((each for each in every if each[0] > context.now), default=None)
    if first is None:
        return None
    at, code, who, what = first
    return Due(at, Reason.of(code, who=who, what=what))


def _pilots(context: DecisionContext) -> Iterator[_Due]:
    for pilot in (each for each in context.live() if each.id in context.endings):
        yield context.endings[pilot.id].kill_at, Code.NEXT_KILL, pilot.label, ""
    for pilot in context.untouched():
        yield pilot.deadline_at or 0.0, Code.NEXT_TTL, pilot.label, ""
    for pilot in context.observation.pilots:
        frozen = context.frozen.get(pilot.id)
        if frozen and not context.held_by_operator(pilot):
            end = frozen.since + context.policy.protect.evict_after
            yield end, Code.NEXT_EVICTION, pilot.label, ""
    if context.observation.mode is Mode.ACTIVE and not context.policy.drain:
        for profile, backoff in context.backoffs.items():
            yield backoff.until, Code.NEXT_TRY, profile, ""


def _alarms(context: DecisionContext) -> Iterator[_Due]:
    for tracked in context.tracked_alarms.values():
        alarm = tracked.alarm
        if tracked.met:
            step = alarm.step.name.lower()
            yield tracked.since + alarm.after, Code.NEXT_STEP, alarm.signal, step
        else:
            yield tracked.last + alarm.recover, Code.NEXT_RECOVERED, alarm.signal, ""


def _pressure(context: DecisionContext) -> Iterator[_Due]:
    protect, unprotected = context.policy.protect, context.capacity.unprotected
    yield context.state.hold_until, Code.NEXT_START, "", ""
    since, room_since = context.overcommitted_since, context.room_since
    if since is not None:
        freeze = since + freeze_after(protect, unprotected=unprotected)
        yield freeze, Code.NEXT_FREEZE, "", ""
        yield since + evict_after(protect, unprotected=unprotected), Code.NEXT_END, "", ""
    if any(context.frozen_for_objective(pilot) for pilot in context.live()):
        yield context.thaw_hold_until, Code.NEXT_THAW, "", ""
    if room_since is not None:
        yield room_since + protect.thaw_after, Code.NEXT_THAW, "", ""
