"""How a simulated machine shares its cores."""

from __future__ import annotations

from math import comb, perm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.schema import Profile
from plancton.runtime.simulated_bursts import Bursts
from plancton.runtime.simulated_cpus import Cpus, share_out
from plancton.runtime.simulated_node import SimulatedNode


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


@pytest.mark.parametrize(
    ("available", "wants", "bound", "got"),
    [
        (2, [1, 1, 1], [(0,), (1,), (1,)], [1, 0.5, 0.5]),
        (2, [0.6, 0.6, 0.6], [(0,), (1,), (1,)], [0.6, 0.5, 0.5]),
        (1, [1, 0, 0.2], [(0,), (1,), (1,)], [0.5, 0, 0.2]),
        (2, [1, 1, 1], [(0,), (0,), ()], [0.5, 0.5, 1]),
        (2, [1, 1, 1], [(0, 1), (), ()], [2 / 3, 2 / 3, 2 / 3]),
    ],
)
def test_pilots_that_are_bound_share_their_cpu(
    available: float, wants: list[float], bound: list[tuple[int, ...]], got: list[float]
) -> None:
    """What is left on another is for those that roam."""
    assert Cpus(2, [1] * len(wants), bound).share_out(available, wants) == pytest.approx(got)


def two_cores(
    pilots: int, efficiency: float, cpus: float = 1, bound: tuple[tuple[int, ...], ...] = ((),)
) -> SimulatedNode:
    """Return two cores after an hour with so many pilots that wait, *bound* in turns."""
    node = SimulatedNode(2)
    node.bursts, node.lifetime = Bursts(efficiency), lambda _: 1e9
    for number in range(pilots):
        node.start(Profile(cpus=cpus), cpus=bound[number % len(bound)])
    for _ in range(360):
        node.advance(10)
    return node


def machine_repair(machines: int, efficiency: float) -> float:
    """Return the utilisation of two servers by a finite source of customers (M/M/2//N)."""
    ratio = efficiency / (1 - efficiency)
    weights = [
        ratio**k * (comb(machines, k) if k <= 2 else perm(machines, k) / 2 ** (k - 1))
        for k in range(machines + 1)
    ]
    return sum(min(k, 2) * weight for k, weight in enumerate(weights)) / sum(weights) / 2


@pytest.mark.parametrize("efficiency", [0.6, 0.3])
@pytest.mark.parametrize("pilots", [2, 3, 4, 5, 6])
def test_pilots_that_wait_use_what_queueing_theory_says(pilots: int, efficiency: float) -> None:
    """They collide, so more of them are needed than their mean use suggests."""
    node = two_cores(pilots, efficiency)
    theory = machine_repair(pilots, efficiency)
    assert node.own_seconds / 7200 == pytest.approx(theory, abs=0.02)


def test_bound_pilots_that_wait_leave_a_core_idle_while_others_wait_for_one() -> None:
    """Two on each of two cores are two machine-repair models with one server, M/M/1//2."""
    theory = 1 - 1 / (1 + 2 * 1.5 + 2 * 1.5**2)
    assert two_cores(4, 0.6, bound=((0,), (1,))).own_seconds / 7200 == pytest.approx(
        theory, abs=0.02
    )
    assert theory < machine_repair(4, 0.6) - 0.03


def test_a_pilot_that_waits_uses_all_its_cores_when_it_computes() -> None:
    """Half of the time one core, half of the time two."""
    assert two_cores(1, 0.5).own_seconds == pytest.approx(1800, rel=0.05)
    assert two_cores(1, 0.5, cpus=2).own_seconds == pytest.approx(3600, rel=0.05)


def test_bursts_go_on_after_the_foreground_had_all_cores() -> None:
    """Meanwhile they wait for it; nothing is lost and nothing made."""
    node = two_cores(2, 0.6)
    before, node.foreground = node.own_seconds, 2.0
    node.advance(100)
    assert node.own_seconds == before
    assert all(c.phase.computes for c in node.containers.values())
    node.foreground = 0.0
    node.advance(100)
    assert node.own_seconds > before
