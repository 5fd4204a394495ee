"""Which profile starts next, and for which one cores are kept free. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.capacity import cores, of_profile
from plancton.engine.rules.context import FADE, DecisionContext

KEEP_FREE, KEEP_AGAIN = 600.0, 3600.0
"""Seconds for which free cores are kept for a large profile that is owed its share, and until
they may be kept for it again."""
_FORESIGHT = FADE / 10
"""Seconds for which the cores that a profile has now count beside those it had."""
_OWED = 0.5
"""Part of the others' share below which a profile is owed."""


def recent_use(context: DecisionContext, profile: schema.Profile) -> float:
    """Return what a profile had lately and has now, relative to its share."""
    now = cores(of_profile(context.running(), profile)) + cores(context.planned_starts(profile))
    return (context.used[profile.name] + now * _FORESIGHT) / profile.share


def kept_free(
    context: DecisionContext, able: schema.Profile, reasons: dict[str, Reason | None]
) -> Reason | None:
    """Return that cores are kept free for a larger profile, which small ones would starve."""
    for profile in context.policy.profiles:
        reason, owed = reasons[profile.name], recent_use(context, profile)
        if reason is None or reason.code is not Code.NO_ROOM:
            continue
        empty = context.room(())
        fits = empty is not None and context.capacity.fits(profile.cpus, empty, 0.0)
        if not fits or owed >= _OWED * recent_use(context, able):
            continue
        since = context.kept_free_since.setdefault(profile.name, context.now)
        if context.now - since >= KEEP_FREE + KEEP_AGAIN:
            context.kept_free_since[profile.name] = since = context.now
        left = since + KEEP_FREE - context.now
        if left > 0:
            part = 100 * owed / (recent_use(context, able) or 1.0)
            room = context.spawn_room() or 0.0
            numbers = {"cpus": profile.cpus, "room": room, "owed": 100 - part, "left_s": left}
            return Reason.of(Code.KEPT_FREE, profile=profile.name, **numbers)
    return None
