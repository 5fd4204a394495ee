"""Rule: keep a spare of each profile of which another pilot is to be expected. Pure.

A spare holds no cores and is promised nothing: whether a pilot starts, other rules say.
"""

from __future__ import annotations

from collections.abc import Mapping

from plancton.config import schema
from plancton.engine.model.action import Discard, Prepare
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.spare import Spare, may_have_spare, spec_hash
from plancton.engine.rules.backoff import after_spare_failure
from plancton.engine.rules.capacity import of_profile
from plancton.engine.rules.context import DecisionContext

LEFT = 0.5
"""Cores that the foreground must leave: what is Docker's part of it runs beside the foreground, and
the part in the idle class takes seconds with less."""


def keep_spares(context: DecisionContext) -> None:
    """Remove the spares that no pilot will start in; make one that is missing, if all is calm."""
    wanted = {each.name: each for each in context.policy.profiles if _is_wanted(context, each)}
    kept = _discard_unwanted(context, wanted)
    missing = [
        each
        for name, each in wanted.items()
        if name not in kept and _image(context, each) and not _waits_after_failure(context, each)
    ]
    if not missing or not _is_calm(context):
        return
    if context.observation.preparing:
        return  # one at a time; its end wakes us
    there = {spare.profile for spare in context.observation.spares}
    profile = next((each for each in missing if each.name not in there), None)
    busy = bool(context.actions or context.observation.starting)
    context.spare_awaited = busy or len(missing) > 1
    if profile is not None and not busy:
        reason = Reason.of(Code.SPARE_WANTED, profile=profile.name)
        context.actions.append(Prepare(profile, reason, _pinned(context, profile)))


def _is_calm(context: DecisionContext) -> bool:
    """Say whether nothing presses, and the foreground leaves something to make a spare with."""
    load = context.capacity.spawn_load
    pressed = any(tracked.met for tracked in context.tracked_alarms.values())
    return not pressed and load is not None and load.ncpus - load.foreground >= LEFT


def _discard_unwanted(context: DecisionContext, wanted: Mapping[str, schema.Profile]) -> set[str]:
    """Decide which spares are removed; returns the profiles of those that stay."""
    kept, failures = set[str](), context.spare_failures
    for spare in context.observation.spares:
        why = _why_unwanted(context, spare, wanted.get(spare.profile), kept)
        if not why:
            kept.add(spare.profile)
            failures.pop(spare.profile, None)
        elif not context.removal_waits(spare.id):
            context.actions.append(Discard(spare, Reason.of(Code.SPARE_UNWANTED, why=why)))
            if not spare.ready:
                failed = after_spare_failure(failures.get(spare.profile), context.now)
                failures[spare.profile] = failed
    return kept


def _is_wanted(context: DecisionContext, profile: schema.Profile) -> bool:
    """Say whether another pilot of the profile is to be expected, as soon as one that runs ends.

    Right after our start one that ended before could not be replaced yet.
    """
    policy = context.policy
    asked = policy.spawn.spare and context.observation.mode is Mode.ACTIVE and not policy.drain
    return (
        asked
        and policy.when
        and min(policy.maximum, policy.maxima.get(profile.name, policy.maximum)) > 0
        and profile.name not in context.backoffs
        and not _has_no_image(context, profile)
        and may_have_spare(profile)
        and (_has_pilots(context, profile) or context.observation.load is None)
    )


def _has_pilots(context: DecisionContext, profile: schema.Profile) -> bool:
    return bool(of_profile(context.live(), profile) or context.planned_starts(profile))


def _why_unwanted(
    context: DecisionContext, spare: Spare, profile: schema.Profile | None, kept: set[str]
) -> str:
    """Say why no pilot will start in a spare; empty: one may."""
    if not spare.ready:
        return "it ended before a pilot started in it"
    if profile is None:
        return f"no pilot of {spare.profile} is to be started soon"
    if spare.spec != spec_hash(profile):
        return f"the profile {spare.profile} has changed"
    if _image(context, profile) not in ("", spare.image_id):
        return f"{profile.image} is another image now"
    if spare.profile in kept:
        return f"there is another spare of {spare.profile}"
    return spare.outdated


def _pinned(context: DecisionContext, profile: schema.Profile) -> str:
    """Return the ID of the image that pilots stay with; empty: what the reference means."""
    known = context.rollouts.get(profile.image)
    return known.good if known else ""


def _image(context: DecisionContext, profile: schema.Profile) -> str:
    """Return the ID of the image for new pilots; empty: it has not been looked for yet."""
    status = context.observation.images.get(profile.image)
    return _pinned(context, profile) or (status.id if status else "") or ""


def _has_no_image(context: DecisionContext, profile: schema.Profile) -> bool:
    """Say whether it is known that the image is not there: right after our start nothing is."""
    status = context.observation.images.get(profile.image)
    return status is not None and status.id is None and bool(status.error)


def _waits_after_failure(context: DecisionContext, profile: schema.Profile) -> bool:
    failed = context.spare_failures.get(profile.name)
    return failed is not None and context.now < failed.retry_at
