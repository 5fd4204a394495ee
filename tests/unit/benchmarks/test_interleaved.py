"""Rounds in turns, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from benchmarks.interleaved import ALONE, CpuReader, interleaved
from benchmarks.intervals import NOT_MEASURABLE, Pair
from benchmarks.latency import CORES, Arm, Round
from benchmarks.owner import Waited


@dataclass(frozen=True)
class Sample:
    """A round with its number."""

    number: int
    steal: float = 0.0


def test_each_round_of_an_arm_is_set_against_the_round_alone_next_to_it() -> None:
    """Alone, arm, arm, alone; the arm runs in its own rounds only."""
    order: list[str] = []
    running = ALONE

    @contextmanager
    def arm(name: str) -> Iterator[CpuReader]:
        nonlocal running
        running = name
        yield lambda: 1.0
        running = ALONE

    def measure(pilots_cpu: CpuReader) -> Sample:
        assert pilots_cpu() == (running != ALONE)
        order.append(running)
        return Sample(len(order))

    pairs = interleaved({"a": lambda: arm("a"), "b": lambda: arm("b")}, measure, blocks=2)
    assert order == [ALONE, "a", "a", ALONE, "b", "b", ALONE] * 2
    numbers = {k: [(p.alone.number, p.beside.number) for p in each] for k, each in pairs.items()}
    assert numbers["a"] == [(1, 2), (4, 3), (8, 9), (11, 10)]
    assert numbers["b"] == [(4, 5), (7, 6), (11, 12), (14, 13)]
    assert numbers[ALONE] == [(1, 4), (4, 7), (8, 11), (11, 14)]


def arm_of(*rounds: tuple[Round, Round]) -> Arm:
    """Return an arm of these rounds alone and beside pilots."""
    return Arm([Pair(alone, beside, alone.steal, beside.steal) for alone, beside in rounds])


def a_round(latency: float, busy: float = 0.2, pilots: float = 0.0) -> Round:
    """Return a round in which every request waited as long, in seconds."""
    return Round(Waited((latency,) * 1000, seconds=5.0), busy, pilots, steal=0.0)


def test_what_pilots_take_from_the_owner_is_no_harvest() -> None:
    """The harvested share ends at what was idle alone; the rest is stolen."""
    arm = arm_of(*[(a_round(0.001, busy=0.2), a_round(0.03, busy=1.0, pilots=0.9))] * 3)
    assert str(arm.harvested()) == "1.00 [1.00, 1.00]"
    found = arm.stolen().interval
    assert found
    assert found.value == pytest.approx(0.1 * CORES)


def test_an_owner_faster_than_alone_is_refused() -> None:
    """Somebody disturbed the baseline."""
    arm = arm_of(*[(a_round(0.004), a_round(0.002, pilots=0.7))] * 3)
    assert str(arm.waits(0.99)) == NOT_MEASURABLE


def test_utilisation_adds_the_owners_throughput_to_that_of_pilots() -> None:
    """An owner at half of its throughput counts half of what it used alone."""
    beside = Round(Waited((0.1,) * 500, seconds=5.0), 1.0, 0.5, steal=0.0)
    arm = arm_of(*[(a_round(0.001, busy=0.4), beside)] * 3)
    found = arm.utilisation().interval
    assert found
    assert found.value == pytest.approx(0.2 + 0.5)
