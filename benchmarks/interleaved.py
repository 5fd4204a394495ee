"""Rounds in turns: alone, arm, arm, alone; each of an arm is set against the alone next to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from benchmarks.intervals import Pair

CpuReader = Callable[[], float]
"""CPU-seconds of all pilots so far."""
Arms = Mapping[str, Callable[[], AbstractContextManager[CpuReader]]]
"""Ways to use idle cores, by name; each runs until its context ends."""
ALONE = "alone"


class Stolen(Protocol):
    """What any round tells."""

    @property
    def steal(self) -> float:
        """Share of all cores' time that the hypervisor gave to others."""


Sample = TypeVar("Sample", bound=Stolen)


def interleaved(
    arms: Arms, measure: Callable[[CpuReader], Sample], blocks: int, rounds: int = 2
) -> dict[str, list[Pair[Sample]]]:
    """Return the pairs of each arm, and of ``alone`` against itself.

    Each arm has so many *rounds* a block; the second half is set against the round after it.
    """
    found: dict[str, list[Pair[Sample]]] = {name: [] for name in (ALONE, *arms)}

    def add(name: str, alone: Sample, beside: Sample) -> None:
        found[name].append(Pair(alone, beside, alone.steal, beside.steal))

    for _ in range(blocks):
        before = measure(lambda: 0.0)
        for name, start in arms.items():
            with start() as pilots_cpu:
                beside = [measure(pilots_cpu) for _ in range(rounds)]
            after = measure(lambda: 0.0)
            for number, each in enumerate(beside):
                add(name, before if 2 * number < rounds else after, each)
            add(ALONE, before, after)
            before = after
    return found
