"""Rule: end pilots that wrote more to disk than they may. Pure."""

from __future__ import annotations

from plancton.config.units import format_size
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext

FAR_BEYOND = 1.5
"""Beyond this many times its bound a pilot is killed, for it would fill its grace with writing."""


def limit_disk(context: DecisionContext) -> None:
    """End pilots that are beyond their bound, and kill those far beyond it."""
    for pilot in context.live():
        size = pilot.written.size if pilot.written else 0
        if not pilot.disk or size <= pilot.disk or pilot.id in context.acted:
            continue
        reason = Reason.of(Code.OVER_DISK, written=format_size(size), limit=format_size(pilot.disk))
        if size > FAR_BEYOND * pilot.disk:
            context.kill_now(pilot, reason)
        elif pilot.id not in context.endings:
            context.terminate(pilot, reason)
