"""Rule: freeze pilots because of a signal or an overcommitted CPU. Pure."""

from __future__ import annotations

from plancton.engine.model.action import Freeze
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import evict_after, freeze_after
from plancton.engine.model.pressure import Step
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.capacity import cores
from plancton.engine.rules.context import DecisionContext


def freeze(context: DecisionContext) -> None:
    """Freeze the pilots that signals ask for, and as many as the CPU is overcommitted by."""
    for alarm in context.alarms_due(Step.FREEZE):
        victims = _freezable(context)
        for pilot in victims if alarm.all_at_once else victims[:1]:
            context.add_action(Freeze(pilot, alarm.reason))
    victims, room = _freezable(context), context.room(context.kept_running())
    committed = context.committed(context.kept_running())
    if (
        victims
        and room is not None
        and context.capacity.is_overcommitted(victims[0], room, committed)
    ):
        _relieve(context, victims, room)
    else:
        context.overcommitted_since = None


def _relieve(context: DecisionContext, victims: list[Pilot], room: float) -> None:
    """Take the next step against an overcommitted CPU, as soon as it has lasted long enough."""
    if context.overcommitted_since is None:
        context.overcommitted_since = context.now
    protect, unprotected = context.policy.protect, context.capacity.unprotected
    freezes = freeze_after(protect, unprotected=unprotected)
    evicts = evict_after(protect, unprotected=unprotected)
    lasted = context.now - context.overcommitted_since
    reason = _reason(context, room, lasted)
    if lasted >= evicts:
        # The last one's effect shows before the next is taken.
        if not context.eviction_in_progress():
            context.terminate(victims[0], reason)
    elif not protect.freeze:
        context.announce("the youngest pilot is ended", evicts, reason)
    elif lasted < freezes:
        context.announce("pilots are frozen", freezes, reason)
    else:
        _freeze_excess(context, victims, room, reason)


def _reason(context: DecisionContext, room: float, lasted: float) -> Reason:
    load, committed = context.capacity.pressure_load, cores(context.kept_running())
    if context.capacity.idle_class:
        gets = max(0.0, context.capacity.left_by_foreground(load) or 0.0)
        return Reason.of(Code.STARVED, gets=gets, since_s=lasted, committed=committed)
    return Reason.of(
        Code.PRESSURE,
        excess=-room,
        since_s=lasted,
        foreground=load.foreground if load else 0.0,
        ncpus=load.ncpus if load else 0,
        committed=committed,
    )


def _freeze_excess(
    context: DecisionContext, victims: list[Pilot], room: float, reason: Reason
) -> None:
    committed = context.committed(context.kept_running())
    for pilot in victims:
        if not context.capacity.is_overcommitted(pilot, room, committed):
            return
        context.add_action(Freeze(pilot, reason))
        room, committed = room + pilot.cpus, committed - pilot.cpus


def _freezable(context: DecisionContext) -> list[Pilot]:
    return [p for p in context.victims() if p.state is PilotState.RUNNING]
