"""Rule: what all pilots together may take, so that the owner's part stays free. Pure."""

from __future__ import annotations

from plancton.config.units import level_of
from plancton.engine.model.bounds import Bounds
from plancton.engine.model.pilot import Pilot
from plancton.engine.rules.context import DecisionContext

PIDS = 0.5
"""Part of the node's processes and threads that pilots may be."""


def bounds(context: DecisionContext) -> Bounds:
    """Return the bounds of the parent cgroup.

    ``protect.memory`` names what is kept for the owner; the rest is the pilots'. What would kill
    is never less than was promised to them: a changed configuration ends no pilot in this way.
    """
    host, memory = context.observation.host, context.policy.protect.memory
    kept = level_of(memory.stop_below, host.memory_total)
    last = level_of(memory.evict_below, host.memory_total)
    starts = context.planned_starts()
    promised = sum(_promised(p) for p in context.live()) + sum(p.memory for p in starts)
    return Bounds(
        memory_high=None if kept is None else max(0, int(host.memory_total - kept)),
        memory_max=None if last is None else max(int(host.memory_total - last), promised),
        pids=int(PIDS * host.pids_total) or None,
    )


def _promised(pilot: Pilot) -> int:
    return max(pilot.memory, pilot.memory_used or 0)
