"""Whether pilots on cores of their own leave some idle that others of them could use. Pure.

A pilot that may use more than its promise cannot, where it is bound to a core: if a neighbour waits
for its data, that one's core is idle. Then it has no part in the owner's tail latency either, which
only cores that are kept busy protect. So such pilots roam for a while, and are bound once more.
"""

from __future__ import annotations

from collections.abc import Iterable

from plancton.engine.model.pilot import Pilot
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.spread import Cpus, Demand, size_of

LEAST_CORES, LEAST_SHARE = 0.5, 0.1
"""Idle cores, and part of all cores, from which on binding takes too much."""
LASTS = 10.0
"""Seconds for which they must be idle: the load is a mean over as many."""
ROAM = 600.0
"""Seconds for which pilots roam then."""


def seconds_to_roam(context: DecisionContext, bound: Iterable[Pilot], usable: Cpus) -> float:
    """Return how long pilots that cover all cores are to roam yet; *bound* are bound now."""
    strict = context.policy.protect.latency == "strict"
    if strict or not any(_could_use_more(pilot, usable) for pilot in context.running()):
        context.left_idle_since, context.roam_until = None, 0.0
        return 0.0
    load = context.observation.load
    least = max(LEAST_CORES, LEAST_SHARE * len(usable))
    if load is None or load.idle < least or not any(bound):
        context.left_idle_since = None
    elif context.left_idle_since is None:
        context.left_idle_since = context.now
    elif context.now - context.left_idle_since >= LASTS:
        context.left_idle_since, context.roam_until = None, context.now + ROAM
    return max(0.0, context.roam_until - context.now)


def _could_use_more(pilot: Pilot, usable: Cpus) -> bool:
    """Say whether a pilot could use more cores than it would be bound to."""
    return pilot.held_to is not None and pilot.held_to > size_of(Demand(pilot.cpus), usable)
