"""Ratios of what was measured in turns, with their intervals."""

from __future__ import annotations

import random
import statistics

Rounds = list[dict[str, float]]
"""What each round measured, by name."""
_RESAMPLES = 2000


def median(rounds: Rounds, name: str) -> float:
    """Return the median over the rounds."""
    return statistics.median(each[name] for each in rounds)


def ratio(rounds: Rounds, name: str, base: str) -> float:
    """Return how one median stands to another."""
    return median(rounds, name) / median(rounds, base)


def interval(rounds: Rounds, name: str, base: str) -> tuple[float, float]:
    """Return the 95 % interval of the ratio, by bootstrap over the rounds."""
    draw = random.Random(1)  # noqa: S311 (no secret)
    ratios = [ratio(draw.choices(rounds, k=len(rounds)), name, base) for _ in range(_RESAMPLES)]
    cuts = statistics.quantiles(ratios, n=40)
    return cuts[0], cuts[-1]


def ratio_text(rounds: Rounds, name: str, base: str) -> str:
    """Write a ratio with its interval: ``1.25 [1.10, 1.40]``."""
    low, high = interval(rounds, name, base)
    return f"{ratio(rounds, name, base):.2f} [{low:.2f}, {high:.2f}]"
