"""The node's own past at falling resolution: a day in constant memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from operator import mul

METRICS = ("cpu", "foreground", "load", "mem", "disk", "pilots", "frozen")
"""What is kept: cores busy, cores of the foreground, load average, bytes of memory and disk
free, pilots running and frozen."""

LEVELS = ((5.0, 60), (60.0, 60), (300.0, 288))
"""Seconds a row, and rows kept: five minutes, an hour, a day."""

SECONDS = {"5m": 300.0, "30m": 1800.0, "1h": 3600.0, "12h": 43200.0, "1d": 86400.0}
"""Spans over which expressions know means, in seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """Means over one step of time."""

    at: float
    """Its begin, seconds of the epoch."""
    seconds: float
    """How much of it was seen."""
    values: tuple[float, ...]
    """One mean for each metric."""


@dataclass(frozen=True, slots=True)
class History:
    """Rows of each level, oldest first."""

    levels: tuple[tuple[Row, ...], ...] = ((), (), ())

    def __post_init__(self) -> None:
        """Refuse what another program, or a damaged file, takes for a history."""
        rows = [row for level in self.levels for row in level]
        if len(self.levels) != len(LEVELS) or any(len(r.values) != len(METRICS) for r in rows):
            raise ValueError("this is no history of a node")

    def add(self, wall: float, seconds: float, values: tuple[float, ...]) -> History:
        """Return the history with *values* that held for the *seconds* before *wall*."""
        pairs = zip(self.levels, LEVELS, strict=True)
        return History(
            tuple(_add(rows, *level, wall, seconds, values) for rows, level in pairs),
        )

    def means(self, span: float, wall: float) -> dict[str, float] | None:
        """Return the mean of each metric over the last *span* seconds, as far as they were seen.

        Rows count by how much of them was seen; None if nothing was.
        """
        pairs = zip(self.levels, LEVELS, strict=True)
        fine = (rows for rows, (step, count) in pairs if step * count >= span)
        rows = next(fine, self.levels[-1])
        within = [row for row in rows if wall - span < row.at + row.seconds and row.at <= wall]
        seen = sum(row.seconds for row in within)
        if not seen:
            return None
        columns = zip(*(row.values for row in within), strict=True)
        weights = [row.seconds / seen for row in within]
        return {
            metric: sum(map(mul, column, weights))
            for metric, column in zip(METRICS, columns, strict=True)
        }


def _add(
    rows: tuple[Row, ...],
    step: float,
    count: int,
    wall: float,
    seconds: float,
    values: tuple[float, ...],
) -> tuple[Row, ...]:
    begin = wall - wall % step
    last = rows[-1] if rows else None
    # A wall clock that was set back adds to the last row, rather than to rows out of order.
    if last is None or begin > last.at:
        return (*rows[-count + 1 :], Row(begin, min(seconds, step), values))
    both = last.seconds + seconds
    means = tuple(
        (old * last.seconds + new * seconds) / both
        for old, new in zip(last.values, values, strict=True)
    )
    return (*rows[:-1], Row(last.at, min(both, step), means))
