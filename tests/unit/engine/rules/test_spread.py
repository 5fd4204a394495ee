"""Pilots spread over CPUs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.engine.rules.spread import Cpus, Demand, Domains, fill, size_of, spread

TWO, FOUR, CACHES = [(0, 1)], [(0, 1, 2, 3)], [(0, 2), (1, 3)]


@pytest.mark.parametrize(
    ("demands", "domains", "placed"),
    [
        ([Demand(1), Demand(1)], TWO, [(0,), (1,)]),
        ([Demand(1)], TWO, None),
        ([], TWO, None),
        ([Demand(1, (1,)), Demand(1)], TWO, [(1,), (0,)]),
        ([Demand(1, (1,)), Demand(1, (1,))], TWO, [(1,), (0,)]),
        ([Demand(2)], TWO, [(0, 1)]),
        ([Demand(64)], TWO, [(0, 1)]),
        ([Demand(0.5)] * 4, TWO, [(0,), (1,), (0,), (1,)]),
        ([Demand(1.5), Demand(1)], TWO, [(0, 1), (0,)]),
        ([Demand(0), Demand(0)], TWO, [(0,), (1,)]),
        ([Demand(1, (7,)), Demand(1, (1,))], TWO, [(0,), (1,)]),
        ([Demand(1, (0, 1)), Demand(1, (1,))], TWO, [(0,), (1,)]),
        ([Demand(2), Demand(2)], CACHES, [(0, 2), (1, 3)]),
        ([Demand(1), Demand(2), Demand(1)], CACHES, [(0,), (1, 3), (2,)]),
    ],
)
def test_each_pilot_has_cores_of_its_own(
    demands: list[Demand], domains: Domains, placed: list[Cpus] | None
) -> None:
    """If they cover all; those of several cores within one cache, and small ones share."""
    assert spread(demands, domains) == placed


def test_pilots_keep_their_places_while_one_lacks() -> None:
    """The new one goes where none is, also on CPUs that have gone since."""
    placed = fill([Demand(1, (2,)), Demand(1, (0, 9)), Demand(1)], FOUR)
    assert placed == [(2,), (0, 9), (1,)]


@st.composite
def nodes(draw: st.DrawFn) -> tuple[list[Demand], list[Cpus]]:
    """Return pilots, bound to anything, on a node with CPUs in caches of any size."""
    cpus = sorted(draw(st.sets(st.integers(0, 20), min_size=2, max_size=9)))
    step = draw(st.integers(1, 9))
    domains = [tuple(cpus[first : first + step]) for first in range(0, len(cpus), step)]
    bound = st.one_of(st.just(()), st.sets(st.sampled_from(cpus), max_size=3), st.just({99}))
    sizes = st.sampled_from([0.1, 0.25, 0.5, 1.0, 1.0, 1.0, 1.5, 2.0, 3.0, 30.0])
    pilots = st.builds(lambda c, b: Demand(c, tuple(sorted(b))), sizes, bound)
    return draw(st.lists(pilots, max_size=14)), domains


@given(nodes())
def test_all_are_covered_evenly_or_none_is_bound(node: tuple[list[Demand], list[Cpus]]) -> None:
    """Each has as many as its cores, rounded up; and nothing moves a second time."""
    demands, domains = node
    usable = {cpu for domain in domains for cpu in domain}
    placed = spread(demands, domains)
    sizes = [size_of(each, usable) for each in demands]
    assert (placed is None) == (sum(sizes) < len(usable))
    if placed is None:
        return
    assert [len(set(cpus)) for cpus in placed] == sizes
    assert {cpu for cpus in placed for cpu in cpus} == usable
    shares = [min(1.0, d.cpus / size) for d, size in zip(demands, sizes, strict=True)]
    promised = [
        sum(share for share, cpus in zip(shares, placed, strict=True) if cpu in cpus)
        for cpu in usable
    ]
    assert max(promised) - min(promised) <= max(shares) + 1e-6
    settled = [Demand(d.cpus, cpus) for d, cpus in zip(demands, placed, strict=True)]
    assert spread(settled, domains) == placed


@given(nodes(), st.data())
def test_one_end_moves_nobody(node: tuple[list[Demand], list[Cpus]], data: st.DataObject) -> None:
    """The successor has the place of the pilot that ended."""
    placed = spread(*node)
    if not placed:
        return
    settled = [Demand(d.cpus, cpus) for d, cpus in zip(node[0], placed, strict=True)]
    ended = data.draw(st.integers(0, len(settled) - 1))
    left, successor = settled[:ended] + settled[ended + 1 :], Demand(settled[ended].cpus)
    again = spread([*left, successor], node[1])
    assert again is not None
    if all(each.cpus == 1.0 for each in settled) and len(settled) == len({*placed}):
        assert again == [*(each.bound for each in left), placed[ended]]


def test_many_pilots_on_many_cores_are_placed_at_once() -> None:
    """Even if somebody bound all to one."""
    domains = [tuple(range(first, first + 8)) for first in range(0, 256, 8)]
    placed = spread([Demand(1, (0,))] * 256, domains)
    assert placed is not None
    assert sorted(placed) == [(cpu,) for cpu in range(256)]
