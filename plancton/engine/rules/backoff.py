"""Waiting longer after each failure of a profile, with one probe at a time. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.spare import SpareFailure
from plancton.engine.model.state import Backoff, FailureKind

_SPARE_AGAIN, _SPARE_AGAIN_LONGEST = 60.0, 3600.0
"""Seconds after which a spare is made again after one failed: at first, at most."""


def after_failure(
    known: Backoff | None,
    now: float,
    spawn: schema.Spawn,
    profile: schema.Profile,
    why: str,
    created_at: float,
    kind: FailureKind = FailureKind.FAILED,
    image_id: str = "",
) -> Backoff:
    """Count a failure of a pilot created at *created_at*; the wait doubles up to the longest.

    Pilots created before the last counted failure belong to its batch and count as one.
    """
    if known and created_at <= known.last_failure:
        return known
    failures = known.failures + 1 if known and known.kind is kind else 1
    first, longest, proof = _waits(spawn, profile)[kind]
    wait = min(longest, first * 2.0 ** min(failures - 1, 60))
    return Backoff(failures, now + wait, now, why, kind, proof, image_id)


def _waits(
    spawn: schema.Spawn, profile: schema.Profile
) -> dict[FailureKind, tuple[float, float, float]]:
    """First wait, longest wait, and how long the probe must live, for each kind of failure."""
    first = profile.backoff or spawn.backoff
    short = spawn.short_life if profile.short_life is None else profile.short_life
    longest, no_work, broken = spawn.backoff_max, spawn.no_work_wait, spawn.broken_wait
    return {
        FailureKind.FAILED: (first, max(first, longest), short),
        FailureKind.NO_WORK: (no_work, max(no_work, longest), no_work),
        FailureKind.BROKEN: (broken, broken, no_work),
        FailureKind.OUTDATED: (longest, longest, short),
    }


def after_spare_failure(known: SpareFailure | None, now: float) -> SpareFailure:
    """Count a spare that could not be made, or ended before a pilot started in it."""
    failures = known.failures + 1 if known else 1
    return SpareFailure(failures, now + backoff_delay(failures, _SPARE_AGAIN, _SPARE_AGAIN_LONGEST))
