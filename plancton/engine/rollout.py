"""New images are tried by one pilot first, where that is asked for. Pure."""

from __future__ import annotations

from dataclasses import replace

from plancton.config import schema
from plancton.engine.endings import short_life
from plancton.engine.model import Pilot, PilotState
from plancton.engine.reasons import Code, because
from plancton.engine.round import Round
from plancton.engine.state import Rollout


def roll_out(tick: Round) -> None:
    """Learn which image each reference means now, and how the trial of a new one went."""
    if not tick.policy.canary:
        tick.rollouts.clear()
        return
    for profile in tick.policy.profiles:
        status = tick.seen.images.get(profile.image)
        if status is None or status.id is None:
            continue
        known = tick.rollouts.get(profile.image) or Rollout(good=status.id)
        if status.id not in (known.good, known.trial, known.bad):
            known = replace(known, trial=status.id)
        for pilot in tick.seen.pilots:
            if known.trial and pilot.image_id == known.trial:
                known = _judge(tick, profile, pilot, known)
        tick.rollouts[profile.image] = known
        if known.bad == status.id:
            names = {"image": profile.image, "good": short(known.good), "bad": short(known.bad)}
            tick.findings.append(because(Code.IMAGE_PINNED, why=known.why, **names))


def _judge(tick: Round, profile: schema.Profile, pilot: Pilot, known: Rollout) -> Rollout:
    started, name = pilot.started_at, pilot.name or pilot.id[:12]
    if pilot.state is PilotState.EXITED and pilot.id not in tick.state.endings:
        lived, well = pilot.lifetime or 0.0, (0, *profile.no_work)
        if pilot.exit_code in well and lived >= short_life(tick, profile):
            return Rollout(good=known.trial)
        if lived >= tick.policy.canary_life:
            return Rollout(good=known.trial)
        why = f"{name} exited with code {pilot.exit_code}"
        return replace(known, trial="", bad=known.trial, why=why)
    running = pilot.state is PilotState.RUNNING and started is not None
    if running and tick.now - (started or 0.0) >= tick.policy.canary_life:
        return Rollout(good=known.trial)
    return known


def image_for(tick: Round, profile: schema.Profile) -> tuple[str, bool]:
    """Return the ID of the image for a new pilot, and whether that pilot would try it out.

    An empty ID means: what the reference means now.
    """
    known = tick.rollouts.get(profile.image)
    if known is None:
        return "", False
    trying = any(p.image_id == known.trial for p in tick.live()) or any(
        getattr(action, "image_id", None) == known.trial for action in tick.actions
    )
    if known.trial and not trying:
        return known.trial, True
    return known.good, False


def short(image_id: str) -> str:
    """Write an image ID as Docker's table does."""
    return image_id.removeprefix("sha256:")[:12]
