"""Rule: let frozen pilots go on. Pure."""

from __future__ import annotations

from plancton.config.units import format_size, level_of
from plancton.engine.model.action import Thaw
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.pressure import Step
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext


def thaw(context: DecisionContext) -> None:
    """Let frozen pilots go on when nothing speaks against it any more, the last frozen first."""
    frozen = sorted(
        (p for p in context.untouched() if p.frozen and _may_go_on(context, p)),
        key=lambda p: (-context.frozen[p.id].since, p.created_at),
    )
    if not frozen or any(w.alarm.step >= Step.FREEZE for w in context.tracked_alarms.values()):
        context.room_since = None
        return
    room, memory = context.spawn_room(), _memory(context)
    committed = context.committed()
    if room is None or not context.capacity.fits(frozen[0].cpus, room, committed):
        context.room_since = None
        return
    if (frozen[0].swapped or 0) > memory:
        context.findings.append(_no_memory(frozen[0], memory))
        context.room_since = None
        return
    if context.room_since is None:
        context.room_since = context.now
    if context.now - context.room_since < context.policy.protect.thaw_after:
        return
    for pilot in frozen:
        if not _may_go_on(context, pilot):
            continue
        swapped = pilot.swapped or 0
        if not context.capacity.fits(pilot.cpus, room, committed) or swapped > memory:
            return
        context.add_action(Thaw(pilot, Reason.of(Code.THAW, room=room)))
        room, committed = room - pilot.cpus, committed + pilot.cpus
        memory -= swapped
        _hold_others(context, pilot)


def _may_go_on(context: DecisionContext, pilot: Pilot) -> bool:
    """Say whether neither the operator nor one that went on before it holds a frozen pilot."""
    if context.held_by_operator(pilot):
        return False
    return context.now >= context.thaw_hold_until or not context.frozen_for_objective(pilot)


def _hold_others(context: DecisionContext, pilot: Pilot) -> None:
    """Have the owner's figure show what this pilot does to it, before the next one goes on."""
    if context.frozen_for_objective(pilot):
        name = context.frozen[pilot.id].reason.values["objective"]
        recover = (each.recover for each in context.policy.protect.slo if each.name == name)
        context.thaw_hold_until = context.now + next(recover, 0.0)


def _memory(context: DecisionContext) -> float:
    """Bytes that thawed pilots may take back from swap without being ended for it."""
    host, protect = context.observation.host, context.policy.protect
    kept = level_of(protect.memory.evict_below, host.memory_total)
    return host.memory_available - (kept or 0.0)


def _no_memory(pilot: Pilot, memory: float) -> Reason:
    return Reason.of(
        Code.NO_MEMORY_TO_THAW,
        pilot=pilot.label,
        swapped=format_size(pilot.swapped or 0),
        memory=format_size(max(0.0, memory)),
    )
