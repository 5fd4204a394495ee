"""Means over spans of time, in constant memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.engine.records.history import LEVELS, METRICS, SECONDS, History


def values(cpu: float) -> tuple[float, ...]:
    """Return a row in which only the CPU is not 0."""
    return (cpu, *(0.0,) * (len(METRICS) - 1))


def test_means_are_those_of_their_spans() -> None:
    """A step down ten minutes ago is seen by each span in its part."""
    history, wall = History(), 1e9
    for tick in range(2 * 86400 // 10):
        history = history.add(wall + 10 * tick, 10, values(4.0 if 10 * tick < 172200 else 1.0))
    end = wall + 172800
    means = {name: (history.means(span, end) or {})["cpu"] for name, span in SECONDS.items()}
    assert means["5m"] == pytest.approx(1.0)
    assert means["30m"] == pytest.approx(3.0, abs=0.15)
    assert means["1h"] == pytest.approx(3.5, abs=0.1)
    assert means["12h"] == pytest.approx(3.96, abs=0.05)
    assert means["1d"] == pytest.approx(3.98, abs=0.05)


@given(st.lists(st.tuples(st.floats(0.1, 4000), st.floats(0, 64)), max_size=60))
def test_history_takes_constant_memory_and_means_stay_within_what_was_seen(
    steps: list[tuple[float, float]],
) -> None:
    """However long the engine runs, and whatever the gaps."""
    history, wall = History(), 1e9
    for seconds, cpu in steps:
        wall += seconds
        history = history.add(wall, seconds, values(cpu))
    for rows, (_, count) in zip(history.levels, LEVELS, strict=True):
        assert len(rows) <= count
        assert [row.at for row in rows] == sorted({row.at for row in rows})
    means = history.means(300, wall)
    if means is not None:
        seen = [cpu for _, cpu in steps]
        assert min(seen) - 1e-6 <= means["cpu"] <= max(seen) + 1e-6


def test_a_wall_clock_set_back_breaks_nothing() -> None:
    """It adds to the last row."""
    history = History().add(1e9, 5, values(1.0)).add(1e9 - 7200, 5, values(3.0))
    assert len(history.levels[0]) == 1
    assert History().means(300, 1e9) is None
