"""Rules: SIGTERM at the end of the time to live, SIGKILL at the end of the grace period. Pure."""

from __future__ import annotations

from plancton.engine.model.action import Kill
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext


def expire(context: DecisionContext) -> None:
    """End pilots whose time to live is over."""
    for pilot in context.untouched():
        if pilot.deadline_at is not None and pilot.deadline_at <= context.now:
            context.terminate(pilot, Reason.of(Code.TTL, over_s=context.now - pilot.deadline_at))


def kill_after_grace(context: DecisionContext) -> None:
    """Kill pilots that did not end within their grace after SIGTERM."""
    for pilot in context.live():
        ending = context.endings.get(pilot.id)
        if ending is None or pilot.id in context.acted:
            continue
        if ending.kill_at <= context.now:
            context.add_action(Kill(pilot, Reason.of(Code.GRACE_OVER, why=str(ending.reason))))
        else:
            left, name = ending.kill_at - context.now, pilot.label
            context.findings.append(
                Reason.of(Code.ENDING, pilot=name, left_s=left, why=str(ending.reason))
            )
