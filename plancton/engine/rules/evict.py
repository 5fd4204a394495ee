"""Rule: end pilots because of a signal, or because they were frozen for too long. Pure."""

from __future__ import annotations

from plancton.engine.model.pilot import Pilot
from plancton.engine.model.pressure import Alarm, Step
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.disk_space import blame, by_choice


def evict(context: DecisionContext) -> None:
    """End the pilots that signals ask for, and those that stay frozen too long."""
    for alarm in context.alarms_due(Step.EVICT):
        _hasten(context, alarm)
        victims = by_choice(context.victims(), alarm.choice)
        if alarm.all_at_once:
            for pilot in victims:
                context.terminate(pilot, alarm.reason)
        elif victims and not context.eviction_in_progress():
            _evict_one(context, alarm, victims[0])
            break
    for pilot in context.untouched():
        frozen = None if context.held_by_operator(pilot) else context.frozen.get(pilot.id)
        if frozen and context.now - frozen.since >= context.policy.protect.evict_after:
            lasted = context.now - frozen.since
            why = str(frozen.reason)
            context.terminate(pilot, Reason.of(Code.FROZEN_LONG, frozen_s=lasted, why=why))
    _announce_pending_alarms(context)


def _evict_one(context: DecisionContext, alarm: Alarm, pilot: Pilot) -> None:
    reason = blame(pilot, alarm)
    if alarm.urgent:
        context.kill_now(pilot, reason)
    else:
        context.terminate(pilot, reason)


def _hasten(context: DecisionContext, alarm: Alarm) -> None:
    """Kill what was asked to go for the same signal, when there is no time left."""
    for pilot in context.live() if alarm.urgent else ():
        ending = context.endings.get(pilot.id)
        if ending and ending.reason.code is alarm.reason.code:
            context.kill_now(pilot, ending.reason)


def _announce_pending_alarms(context: DecisionContext) -> None:
    """Say what alarms that have not lasted long enough will do."""
    does = {Step.FREEZE: "a pilot is frozen", Step.EVICT: "a pilot is ended"}
    for tracked in context.tracked_alarms.values():
        waits = tracked.met and context.now - tracked.since < tracked.alarm.after
        if waits and tracked.alarm.step in does and context.untouched():
            context.announce(does[tracked.alarm.step], tracked.alarm.after, tracked.alarm.reason)
