"""Rule: remove what has exited or never started, and learn from how it ended. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.engine.model.action import Remove
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import FailureKind
from plancton.engine.rules.backoff import after_failure
from plancton.engine.rules.context import DecisionContext

START_LIMIT = 30.0
"""Seconds after which a created container that has not started is an orphan."""


def reap(context: DecisionContext) -> None:
    """Remove what has exited or never started, and learn from how it ended."""
    for pilot in context.observation.pilots:
        if pilot.state in (PilotState.EXITED, PilotState.DEAD):
            if pilot.id not in context.counted_exits:
                _record_exit(context, pilot)
            lifetime = pilot.lifetime
            code = "unknown" if pilot.exit_code is None else pilot.exit_code
            lived = "no time" if lifetime is None else lifetime
            context.add_action(
                Remove(pilot, Reason.of(Code.EXITED, exit_code=code, lifetime_s=lived))
            )
        elif is_orphan(pilot, context.now):
            age = max(0.0, context.now - pilot.created_at)
            why = pilot.error or "Docker gives no reason"
            context.add_action(Remove(pilot, Reason.of(Code.NEVER_STARTED, age_s=age, error=why)))
            if pilot.id not in context.counted_exits:
                _record_failure(context, pilot, FailureKind.FAILED, "it never started")
        elif pilot.state is PilotState.RUNNING:
            _clear_backoff(context, pilot, context.now)


def is_orphan(pilot: Pilot, now: float) -> bool:
    """Say whether a container was made and never started."""
    # A creation in the future was before a reboot: the boot clock began anew.
    return pilot.state is PilotState.CREATED and abs(now - pilot.created_at) > START_LIMIT


def _record_exit(context: DecisionContext, pilot: Pilot) -> None:
    profile, name = _profile(context, pilot), pilot.label
    unknown = pilot.lifetime is None and pilot.started_at is not None
    ending = context.endings.get(pilot.id)
    if ending and ending.reason.code is Code.OVER_DISK:
        _record_failure(context, pilot, FailureKind.FAILED, f"{name}: {ending.reason}")
    elif pilot.id in context.endings or unknown:
        context.counted_exits |= {pilot.id}
    elif pilot.exit_code in profile.no_work:
        _record_failure(context, pilot, FailureKind.NO_WORK, f"{name} found no work")
    elif pilot.exit_code in profile.broken_node:
        _record_failure(
            context, pilot, FailureKind.BROKEN, f"{name} says that this node cannot do its work"
        )
    elif pilot.exit_code in profile.outdated_image:
        context.refresh.add(profile.image)
        _record_failure(
            context, pilot, FailureKind.OUTDATED, f"{name} says that its image is outdated"
        )
    elif (pilot.lifetime or 0.0) < short_life(context, profile):
        _record_failure(
            context, pilot, FailureKind.FAILED, f"{name} exited with code {pilot.exit_code}"
        )
    else:
        _clear_backoff(context, pilot, pilot.finished_at or context.now)


def short_life(context: DecisionContext, profile: schema.Profile) -> float:
    """Seconds below which a pilot's own end is a failure."""
    own = profile.short_life
    return context.policy.spawn.short_life if own is None else own


def _profile(context: DecisionContext, pilot: Pilot) -> schema.Profile:
    known = (each for each in context.policy.profiles if each.name == pilot.profile)
    return next(known, schema.Profile())


def _record_failure(context: DecisionContext, pilot: Pilot, kind: FailureKind, why: str) -> None:
    context.counted_exits |= {pilot.id}
    known, profile = context.backoffs.get(pilot.profile), _profile(context, pilot)
    context.backoffs[pilot.profile] = after_failure(
        known,
        context.now,
        context.policy.spawn,
        profile,
        why,
        pilot.created_at,
        kind,
        pilot.image_id,
    )


def _clear_backoff(context: DecisionContext, pilot: Pilot, until: float) -> None:
    """End the back-off of a profile when a pilot younger than its last failure has lived."""
    known, started = context.backoffs.get(pilot.profile), pilot.started_at
    if known is None or started is None or started <= known.last_failure:
        return
    if until - started >= known.proof:
        del context.backoffs[pilot.profile]
