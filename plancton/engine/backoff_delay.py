"""How long to wait before the next try. Pure."""

from __future__ import annotations


def backoff_delay(failures: int, first: float, longest: float) -> float:
    """Return the seconds to wait after so many *failures* in a row.

    It is *first* after one of them and doubles with each further one, ten times at most, up to
    *longest*.
    """
    return min(longest, first * 2.0 ** min(failures - 1, 10))
