"""Spread pilots over CPUs, so that each has its own and each CPU has one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

_EXACT = 1e-6

Cpus = tuple[int, ...]
Domains = Sequence[Cpus]
"""CPUs, those that share their last-level cache together."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A pilot that is to have CPUs."""

    cpus: float
    """Cores promised to it."""
    bound: Cpus = ()
    """CPUs that it is bound to now; none: it may use all."""


def spread(demands: Sequence[Demand], domains: Domains) -> list[Cpus] | None:
    """Return the CPUs of each pilot, the older first; None if together they cannot cover all.

    Each has as many as its cores, rounded up; the cores promised on any two CPUs differ by no
    more than one pilot's. A pilot keeps its CPUs, unless it must move for that.
    """
    usable = {cpu for domain in domains for cpu in domain}
    if sum(size_of(each, usable) for each in demands) < len(usable):
        return None
    kept = [i for i, each in enumerate(demands) if _fits(each, usable)]
    busy = _Promised(domains)
    for index in kept:
        busy.add(demands[index], demands[index].bound)
    # Those on the busiest CPUs move first, of them the youngest.
    kept.sort(key=lambda i: (max(busy.on[cpu] for cpu in demands[i].bound), i))
    moved = 0
    while True:
        placed, promised = _fill(demands, set(kept[: max(0, len(kept) - moved)]), domains)
        if moved >= len(kept) or promised.is_even(demands):
            return placed
        moved = 2 * moved or 1


def fill(demands: Sequence[Demand], domains: Domains) -> list[Cpus]:
    """Return the CPUs of each pilot: those that are bound keep theirs."""
    return _fill(demands, {i for i, each in enumerate(demands) if each.bound}, domains)[0]


def _fill(
    demands: Sequence[Demand], kept: set[int], domains: Domains
) -> tuple[list[Cpus], _Promised]:
    """Place all but those *kept* where least is promised."""
    promised = _Promised(domains)
    placed: list[Cpus] = [()] * len(demands)
    for index in sorted(range(len(demands)), key=lambda i: i not in kept):
        demand = demands[index]
        placed[index] = demand.bound if index in kept else promised.best(demand)
        promised.add(demand, placed[index])
    return placed, promised


class _Promised:
    """What is promised on each CPU: cores, and to how many pilots."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains
        self._usable = [cpu for domain in domains for cpu in domain]
        self.on = dict.fromkeys(self._usable, (0.0, 0))

    def add(self, demand: Demand, cpus: Iterable[int]) -> None:
        """Promise a pilot's cores on some CPUs."""
        share = _share(demand, self._usable)
        for cpu in self.on.keys() & set(cpus):
            cores, pilots = self.on[cpu]
            self.on[cpu] = cores + share, pilots + 1

    def best(self, demand: Demand) -> Cpus:
        """Return the CPUs on which least is promised, in one domain where that is as good."""
        size = size_of(demand, self._usable)
        anywhere = self._least(self._usable, size)
        for domain in self._domains:
            inside = self._least(domain, size)
            if len(inside) == size and self._cost(inside) <= self._cost(anywhere):
                return tuple(sorted(inside))
        return tuple(sorted(anywhere))

    def is_even(self, demands: Sequence[Demand]) -> bool:
        """Say whether each CPU has a pilot, and none much more than another."""
        cores = [promised for promised, _ in self.on.values()]
        most = max(_share(each, self._usable) for each in demands)
        covered = all(pilots for _, pilots in self.on.values())
        return covered and max(cores) - min(cores) <= most + _EXACT

    def _least(self, cpus: Sequence[int], size: int) -> list[int]:
        return sorted(cpus, key=lambda cpu: (*self.on[cpu], cpu))[:size]

    def _cost(self, cpus: Iterable[int]) -> tuple[float, int]:
        promised = [self.on[cpu] for cpu in cpus]
        return round(sum(p[0] for p in promised), 6), sum(p[1] for p in promised)


def size_of(demand: Demand, usable: Sequence[int] | set[int]) -> int:
    """Return how many CPUs a pilot has: its cores, rounded up."""
    return min(len(usable), max(1, ceil(demand.cpus - _EXACT)))


def _share(demand: Demand, usable: Sequence[int]) -> float:
    return min(1.0, demand.cpus / size_of(demand, usable))


def _fits(demand: Demand, usable: set[int]) -> bool:
    return len(demand.bound) == size_of(demand, usable) and usable.issuperset(demand.bound)
