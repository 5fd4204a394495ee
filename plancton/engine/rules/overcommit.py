"""Rule: how many times the free cores are promised to pilots, by what these leave idle. Pure.

Pilots wait: for input, for the network, for their manager. What they leave idle is there for more
pilots, as long as the kernel keeps them all behind the foreground.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp

from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.reason import Code
from plancton.engine.model.state import Overcommit
from plancton.engine.rules.capacity import cores
from plancton.engine.rules.context import DecisionContext

SETTLE = 30.0
"""Seconds between two changes, and over which is averaged, so that the last change shows."""
IDLE, BUSY = 0.04, 0.01
"""Parts of what the foreground leaves: with more idle than the first more is promised, with less
than the second less. Between them lies what a pilot more or less makes on most nodes."""
BACK = 0.05
"""By how much less is promised at a time: pilots that end are not replaced, none is ended."""


def adjust_overcommit(context: DecisionContext) -> None:
    """Follow what pilots leave idle, where nothing but room keeps more from starting."""
    if context.policy.spawn.overcommit != "auto" or not context.capacity.idle_class:
        context.overcommit = Overcommit()
        return
    load, before = context.observation.recent, context.overcommit
    left = context.capacity.left_by_foreground(load)
    if load is None or left is None or left <= 0:
        return
    now = context.now
    weight = 0.0 if before.at is None else exp(-max(0.0, now - before.at) / SETTLE)
    idle = weight * before.idle + (1 - weight) * max(0.0, left - load.own) / left
    promised = weight * before.promised + (1 - weight) * cores(_ran(context)) / left
    seen = replace(before, idle=idle, promised=promised, at=now)
    if before.changed_at is None:
        context.overcommit = replace(seen, changed_at=now)
    elif now - before.changed_at < SETTLE:
        context.overcommit = seen
    else:
        # What was idle for want of pilots that are there by now is not what they leave idle.
        left_idle = idle - max(0.0, context.committed() / left - promised)
        # Nor is what is idle beside pilots that use all they were promised, or beside none.
        left_idle = min(left_idle, promised - (1 - idle))
        busy = idle < BUSY
        factor = _less(context, left) if busy else _more(context, left_idle)
        context.overcommit = replace(seen, factor=factor, changed_at=now)


def _ran(context: DecisionContext) -> list[Pilot]:
    """Return the pilots that ran until now: one that has just ended is why the engine looks."""
    since = context.overcommit.at
    return [
        pilot
        for pilot in context.observation.pilots
        if pilot.state is PilotState.RUNNING
        or (since is not None and (pilot.finished_at or since) > since)
    ]


def _less(context: DecisionContext, left: float) -> float:
    factor = context.overcommit.factor
    # Those that run are not to count as starved for it.
    needed = context.capacity.least_for(context.committed()) / left
    return max(1.0, factor - BACK, min(factor, needed))


def _more(context: DecisionContext, left_idle: float) -> float:
    factor = context.overcommit.factor
    lacks_room = any(finding.code is Code.NO_ROOM for finding in context.findings)
    if left_idle > IDLE and lacks_room:
        factor += left_idle
    return min(factor, context.policy.spawn.overcommit_limit)
