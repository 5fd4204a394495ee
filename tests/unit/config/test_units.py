"""Durations, sizes and rates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.units import (
    format_duration,
    format_rate,
    parse_duration,
    parse_rate,
    parse_size,
)


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


@pytest.mark.parametrize(
    ("text", "rate", "written"),
    [
        ("50Mbit", 50 * 10**6, "50 Mbit/s"),
        ("1.5 Gbit/s", 1_500_000_000, "1.5 Gbit/s"),
        ("100kbit", 100_000, "100 kbit/s"),
        ("800000bit", 800_000, "800 kbit/s"),
    ],
)
def test_rates(text: str, rate: int, written: str) -> None:
    """Read and written."""
    assert parse_rate(text) == rate
    assert format_rate(rate) == written


@pytest.mark.parametrize(
    "bad", ["", "50", 50, "50MB", "5Mbps", "-5Mbit", "1bit", "99Gbit", "1Mbit/h", True, None, "nan"]
)
def test_no_rates(bad: object) -> None:
    """Bits a second with a unit, and nothing that nobody can be held to."""
    with pytest.raises(ValueError, match=r"rate|100kbit"):
        parse_rate(bad)


@given(st.floats(0, 1e7))
def test_durations_are_written_with_a_unit(seconds: float) -> None:
    """A number, a blank and a unit, whatever the value."""
    number, unit = format_duration(seconds).split()
    assert float(number) >= 0
    assert unit in {"s", "min", "h", "d"}
