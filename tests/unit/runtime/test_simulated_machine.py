"""How a simulated machine shares its cores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.runtime.simulated_machine import share_out


@pytest.mark.parametrize(
    ("available", "wants", "weights", "got"),
    [
        (4, [1, 1], [1, 1], [1, 1]),
        (1, [1, 1], [1, 1], [0.5, 0.5]),
        (3, [2, 1], [2, 1], [2, 1]),
        (1.5, [2, 1], [2, 1], [1, 0.5]),
        (4, [4, 3], [1, 3], [1, 3]),
        (4, [4, 1], [1, 3], [3, 1]),
        (0, [1], [1], [0]),
        (2, [0, 5], [1, 1], [0, 2]),
        (2, [], [], []),
    ],
)
def test_cores_go_by_weight_and_what_is_left_to_the_others(
    available: float, wants: list[float], weights: list[float], got: list[float]
) -> None:
    """Nobody gets more than he wants."""
    assert share_out(available, wants, weights) == pytest.approx(got)


@given(
    st.floats(0, 64),
    st.lists(st.tuples(st.floats(0, 64), st.floats(0.01, 64)), max_size=9),
)
def test_nothing_is_lost_and_nothing_made(
    available: float, pilots: list[tuple[float, float]]
) -> None:
    """All of it is given, or all that is wanted."""
    wants, weights = [p[0] for p in pilots], [p[1] for p in pilots]
    got = share_out(available, wants, weights)
    assert sum(got) == pytest.approx(min(available, sum(wants)))
    assert all(0 <= have <= want + 1e-9 for have, want in zip(got, wants, strict=True))
