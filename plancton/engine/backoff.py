"""Waiting longer after each failure of a profile, with one probe at a time."""

from __future__ import annotations

from plancton.config import schema
from plancton.engine.model import Backoff


def after_failure(
    known: Backoff | None, now: float, spawn: schema.Spawn, why: str, created_at: float
) -> Backoff:
    """Count a failure of a pilot created at *created_at*; the wait doubles up to the longest.

    Pilots created before the last counted failure belong to its batch and count as one.
    """
    if known and created_at <= known.last_failure:
        return known
    failures = known.failures + 1 if known else 1
    wait = min(spawn.backoff_max, spawn.backoff * 2.0 ** min(failures - 1, 60))
    return Backoff(failures, now + wait, now, why)
