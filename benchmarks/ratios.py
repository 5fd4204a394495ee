"""Ratios of what was measured in turns, with their intervals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.intervals import bootstrap

Rounds = Sequence[dict[str, float]]
"""What each round measured, by name."""


def median(rounds: Rounds, name: str) -> float:
    """Return the median over the rounds."""
    return statistics.median(each[name] for each in rounds)


def ratio(rounds: Rounds, name: str, base: str) -> float:
    """Return how one median stands to another."""
    return median(rounds, name) / median(rounds, base)


def ratio_text(rounds: Rounds, name: str, base: str) -> str:
    """Write a ratio with its interval: ``1.25 [1.10, 1.40]``."""
    return str(bootstrap(rounds, lambda drawn: ratio(drawn, name, base)))
