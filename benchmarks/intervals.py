"""Figures with an interval, from interleaved pairs; what cannot be trusted is not printed. Pure."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Sample = TypeVar("Sample")
NOT_MEASURABLE = "not measurable now"
FEWEST = 3
"""Pairs below which nothing is said."""
_DRAWS, _COVERED = 2000, 0.95
_STEAL = 0.02
"""Difference of steal time, as a share of all cores' time, above which a pair is not one."""
_MARGIN = 0.05
"""How far beyond the possible an interval may reach: what is left of noise."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic and the 95 % percentile bootstrap interval around it (Efron, 1979)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def bootstrap(
    samples: Sequence[Sample], statistic: Callable[[Sequence[Sample]], float]
) -> Interval:
    """Return a *statistic* of the *samples* (at least one) with its interval.

    The draws are the same in each call, so a figure depends on its samples alone.
    """
    draw = random.Random(1)  # noqa: S311 (statistics)
    size = len(samples)
    drawn = sorted(statistic(draw.choices(samples, k=size)) for _ in range(_DRAWS))
    tail, last = (1 - _COVERED) / 2, len(drawn) - 1
    return Interval(statistic(samples), drawn[round(tail * last)], drawn[round((1 - tail) * last)])


@dataclass(frozen=True, slots=True)
class Pair(Generic[Sample]):
    """One round of the baseline and the round of an arm next to it."""

    alone: Sample
    beside: Sample
    steal_alone: float
    """Share of all cores' time that the hypervisor gave to others."""
    steal_beside: float

    @property
    def fair(self) -> bool:
        """Whether both had the same machine."""
        return abs(self.steal_alone - self.steal_beside) <= _STEAL


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of all fair pairs, and whether it may be printed."""

    interval: Interval | None
    dropped: int
    """Pairs that were no pairs."""
    trusted: bool

    def __str__(self) -> str:
        if self.interval is None or not self.trusted:
            return NOT_MEASURABLE
        return str(self.interval)


def figure(
    pairs: Iterable[Pair[Sample]],
    of: Callable[[Sample, Sample], float],
    lowest: float = 0.0,
    highest: float = float("inf"),
    statistic: Callable[[Sequence[float]], float] = statistics.median,
) -> Figure:
    """Return the figure ``of(alone, beside)`` of each fair pair, their median unless told.

    It is trusted if its interval does not reach clearly beyond the possible, *lowest* to
    *highest*, and if there are pairs enough.
    """
    all_pairs = list(pairs)
    fair = [pair for pair in all_pairs if pair.fair]
    dropped = len(all_pairs) - len(fair)
    if len(fair) < FEWEST:
        return Figure(None, dropped, trusted=False)
    found = bootstrap([of(pair.alone, pair.beside) for pair in fair], statistic)
    possible = found.low >= lowest - _MARGIN and found.high <= highest + _MARGIN
    return Figure(found, dropped, possible)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which *share* of the *ordered* samples lie (nearest rank)."""
    if not ordered:
        raise ValueError("no samples")
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
