"""Figures that a disturbed run cannot spoil: they are refused."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.intervals import NOT_MEASURABLE, Pair, bootstrap, figure, quantile


def pairs(ratios: list[float], steal: float = 0.0) -> list[Pair[float]]:
    """Return pairs with these ratios."""
    return [Pair(10.0, 10.0 * ratio, 0.0, steal) for ratio in ratios]


def slowdown(alone: float, beside: float) -> float:
    """Return the ratio."""
    return beside / alone


def test_a_steady_slowdown_is_a_figure_with_its_interval() -> None:
    """What hardly varies has a narrow interval."""
    found = figure(pairs([1.2, 1.21, 1.19, 1.2, 1.22]), slowdown, lowest=1)
    assert str(found) == "1.20 [1.19, 1.22]"


def test_a_disturbed_baseline_is_refused() -> None:
    """Somebody else ran during every second baseline: the arm looks faster than alone."""
    found = figure(pairs([0.78, 1.02, 0.8, 1.01, 0.79]), slowdown, lowest=1)
    assert str(found) == NOT_MEASURABLE
    assert found.interval
    assert found.interval.low < 0.95


def test_a_little_noise_around_the_possible_is_no_reason_to_refuse() -> None:
    """An interval that ends at 0.98 is that of no slowdown at all."""
    assert str(figure(pairs([0.99, 1.0, 1.01, 0.98]), slowdown, lowest=1)) != NOT_MEASURABLE


def test_more_than_there_was_is_refused() -> None:
    """Nobody harvests more than all."""
    found = figure(pairs([1.12, 1.1, 1.13]), slowdown, highest=1)
    assert str(found) == NOT_MEASURABLE


def test_pairs_with_another_steal_time_are_dropped_and_counted() -> None:
    """The hypervisor gave one of both rounds less of the machine."""
    mixed = pairs([1.1, 1.1, 1.1]) + pairs([3.0, 4.0], steal=0.1)
    found = figure(mixed, slowdown, lowest=1)
    assert found.dropped == 2
    assert str(found) == "1.10 [1.10, 1.10]"


def test_too_few_pairs_say_nothing() -> None:
    """Two pairs have no interval."""
    assert str(figure(pairs([1.1, 1.1]), slowdown)) == NOT_MEASURABLE


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30))
def test_an_interval_holds_its_median_and_stays_among_the_samples(samples: list[float]) -> None:
    """It is made of nothing else, and of the same draws each time."""
    found = bootstrap(samples, statistics.median)
    assert min(samples) <= found.low <= found.value <= found.high <= max(samples)
    assert found == bootstrap(samples, statistics.median)


def test_an_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    """Of 200 runs of 15 samples at least 90 %."""
    draw = random.Random(7)  # noqa: S311 (statistics)
    runs = [[draw.gauss(5, 1) for _ in range(15)] for _ in range(200)]
    covered = sum(
        each.low <= 5 <= each.high for each in (bootstrap(run, statistics.median) for run in runs)
    )
    assert 180 <= covered <= 200


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (0.0, 1)])
def test_quantiles_are_samples(share: float, value: int) -> None:
    """Nearest rank."""
    assert quantile(range(1, 101), share) == value


def test_no_samples_have_no_quantile() -> None:
    """There is none to return."""
    with pytest.raises(ValueError, match="no samples"):
        quantile([], 0.5)
