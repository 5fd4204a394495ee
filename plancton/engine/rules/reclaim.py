"""Rule: which frozen pilots give their memory back to the owner. Pure."""

from __future__ import annotations

from plancton.config.units import level_of
from plancton.engine.rules.context import DecisionContext

SWAP_KEPT = 0.25
"""Part of the swap that is left to the owner."""


def reclaim(context: DecisionContext) -> tuple[str, ...]:
    """Return the IDs of the pilots whose memory is to go to swap now, the longest frozen first.

    None, while enough memory is available, or where there is no swap to take it.
    """
    host = context.observation.host
    limit = level_of(context.policy.protect.memory.reclaim_below, host.memory_total)
    if limit is None or host.memory_available >= limit:
        return ()
    if not host.swap_total or host.swap_free < SWAP_KEPT * host.swap_total:
        return ()
    frozen = [pilot for pilot in context.untouched() if pilot.frozen]
    return tuple(p.id for p in sorted(frozen, key=lambda p: context.frozen[p.id].since))
