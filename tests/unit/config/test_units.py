"""Durations and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.units import format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), (5, 5), ("12h", 43200), ("0.5 min", 30), ("250ms", 0.25)],
)
def test_durations(text: object, seconds: float) -> None:
    """With and without units."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("bad", ["", "s", "-3s", "1x", "1h 3 x", True, None, float("nan"), [1]])
def test_no_durations(bad: object) -> None:
    """A word for each."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(bad)


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("512MiB", 512 * 2**20), (7, 7), ("1.5k", 1500)]
)
def test_sizes(text: object, size: int) -> None:
    """Decimal and binary units."""
    assert parse_size(text) == size


@given(st.floats(0, 1e7))
def test_durations_are_written_with_a_unit(seconds: float) -> None:
    """A number, a blank and a unit, whatever the value."""
    number, unit = format_duration(seconds).split()
    assert float(number) >= 0
    assert unit in {"s", "min", "h", "d"}
