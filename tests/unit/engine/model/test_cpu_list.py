"""Sets of CPUs as the kernel and Docker write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.engine.model.cpu_list import format_cpu_list, parse_cpu_list


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,8\n", (0, 1, 2, 3, 8)),
        ("2", (2,)),
        ("1,0", (0, 1)),
        ("", ()),
        ("nonsense", ()),
        ("1-", (1,)),
        ("-1", ()),
        ("0-99999999999999999999999", ()),
    ],
)
def test_lists_are_read(text: str, cpus: tuple[int, ...]) -> None:
    """And what makes no sense names no CPU."""
    assert parse_cpu_list(text) == cpus


@given(st.sets(st.integers(0, 300)))
def test_what_is_written_is_read(cpus: set[int]) -> None:
    """In order, each once."""
    assert parse_cpu_list(format_cpu_list(cpus)) == tuple(sorted(cpus))


def test_neighbours_are_a_range() -> None:
    """As the kernel writes them."""
    assert format_cpu_list((8, 0, 1, 2, 10)) == "0-2,8,10"
