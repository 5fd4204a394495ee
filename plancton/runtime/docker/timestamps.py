"""Docker's timestamps, and their way onto the boot clock."""

from __future__ import annotations

from datetime import UTC, datetime


def epoch_of(stamp: object) -> float | None:
    """Return an RFC 3339 *stamp* (``Z`` or an offset, nanoseconds) as seconds of the epoch.

    None for Docker's zero stamp ``0001-01-01T00:00:00Z`` and for what is no stamp.
    """
    if not isinstance(stamp, str):
        return None
    try:
        parsed = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if parsed.year <= 1:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return parsed.timestamp()
