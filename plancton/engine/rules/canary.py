"""New images are tried by one pilot first, where that is asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from plancton.config import schema
from plancton.engine.model.action import Spawn
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Rollout
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.reap import short_life


def try_new_images(context: DecisionContext) -> None:
    """Learn which image each reference means now, and how the trial of a new one went."""
    if not context.policy.canary:
        context.rollouts.clear()
        return
    for profile in context.policy.profiles:
        status = context.observation.images.get(profile.image)
        if status is None or status.id is None:
            continue
        known = context.rollouts.get(profile.image) or Rollout(good=status.id)
        if status.id not in (known.good, known.trial, known.bad):
            known = replace(known, trial=status.id)
        for pilot in context.observation.pilots:
            if known.trial and pilot.image_id == known.trial:
                known = _judge(context, profile, pilot, known)
        context.rollouts[profile.image] = known
        if known.bad == status.id:
            names = {"image": profile.image, "good": short(known.good), "bad": short(known.bad)}
            context.findings.append(Reason.of(Code.IMAGE_PINNED, why=known.why, **names))


def _judge(
    context: DecisionContext, profile: schema.Profile, pilot: Pilot, known: Rollout
) -> Rollout:
    started, name = pilot.started_at, pilot.label
    if pilot.state is PilotState.EXITED and pilot.id not in context.state.endings:
        lived, well = pilot.lifetime or 0.0, (0, *profile.no_work)
        if pilot.exit_code in well and lived >= short_life(context, profile):
            return Rollout(good=known.trial)
        if lived >= context.policy.canary_life:
            return Rollout(good=known.trial)
        why = f"{name} exited with code {pilot.exit_code}"
        return replace(known, trial="", bad=known.trial, why=why)
    running = pilot.state is PilotState.RUNNING and started is not None
    if running and context.now - (started or 0.0) >= context.policy.canary_life:
        return Rollout(good=known.trial)
    return known


def image_for(context: DecisionContext, profile: schema.Profile) -> tuple[str, bool]:
    """Return the ID of the image for a new pilot, and whether that pilot would try it out.

    An empty ID means: what the reference means now.
    """
    known = context.rollouts.get(profile.image)
    if known is None:
        return "", False
    coming = [each.action for each in context.observation.starting]
    coming += [action for action in context.actions if isinstance(action, Spawn)]
    tried = {pilot.image_id for pilot in context.live()} | {each.image_id for each in coming}
    if known.trial and known.trial not in tried:
        return known.trial, True
    return known.good, False


def pinned_images(rollouts: Mapping[str, Rollout], policy: Policy) -> frozenset[str]:
    """Return the IDs of the images that new pilots may be started from by their ID."""
    wanted = {profile.image for profile in policy.profiles}
    known = (rollout for reference, rollout in rollouts.items() if reference in wanted)
    return frozenset(id_ for each in known for id_ in (each.good, each.trial) if id_)


def short(image_id: str) -> str:
    """Write an image ID as Docker's table does."""
    return image_id.removeprefix("sha256:")[:12]
