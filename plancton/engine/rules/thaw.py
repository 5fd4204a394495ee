"""Rule: let frozen pilots go on. Pure."""

from __future__ import annotations

from plancton.engine.model.action import Thaw
from plancton.engine.model.pressure import Step
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext


def thaw(context: DecisionContext) -> None:
    """Let frozen pilots go on when nothing speaks against it any more, the last frozen first."""
    frozen = sorted(
        (p for p in context.untouched() if p.frozen and not context.held_by_operator(p)),
        key=lambda p: (-context.frozen[p.id].since, p.created_at),
    )
    if not frozen or any(w.alarm.step >= Step.FREEZE for w in context.tracked_alarms.values()):
        context.room_since = None
        return
    room = context.spawn_room()
    if room is None or not context.capacity.fits(frozen[0].cpus, room):
        context.room_since = None
        return
    if context.room_since is None:
        context.room_since = context.now
    if context.now - context.room_since < context.policy.protect.thaw_after:
        return
    for pilot in frozen:
        if not context.capacity.fits(pilot.cpus, room):
            return
        context.add_action(Thaw(pilot, Reason.of(Code.THAW, room=room)))
        room -= pilot.cpus
