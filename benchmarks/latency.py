"""The owner's tail latency beside pilots, and what they harvest meanwhile.

Rounds of an open-loop owner, alone and beside each way to use the idle cores.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import psutil

from benchmarks.interleaved import ALONE, Arms, CpuReader, interleaved
from benchmarks.intervals import Figure, Pair, figure
from benchmarks.owner import REQUEST, Connect, Waited, arrivals, burn, serve

CORES = os.cpu_count() or 1
LOADS = tuple(float(each) / 100 for each in os.environ.get("LOADS", "20 40 60 80").split())
BLOCKS = 2
"""Times that each arm has its two rounds at a load."""
ROUND = 5.0
"""Seconds of a round."""
AWAKE = 0.75
"""Possible ratio of latencies: pilots keep cores awake, which otherwise would have to wake up."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw."""

    waited: Waited
    busy: float
    """Share of all cores' time that was used, by whomever."""
    pilots: float
    """The same, by pilots."""
    steal: float

    @property
    def idle(self) -> float:
        """Share of all cores' time that nobody used."""
        return max(0.0, 1.0 - self.busy - self.steal)


@dataclass(frozen=True)
class Arm:
    """The pairs of one arm at one load."""

    pairs: list[Pair[Round]]

    def waits(self, share: float) -> Figure:
        """Return how many times longer *share* of the requests waited than alone."""
        return figure(
            self.pairs, lambda a, b: b.waited.at(share) / a.waited.at(share), lowest=AWAKE
        )

    def harvested(self) -> Figure:
        """Return the share of what was idle alone that pilots used, and not more than that."""
        return figure(
            self.pairs,
            lambda a, b: min(b.pilots, a.idle) / a.idle if a.idle else float("inf"),
            highest=1,
        )

    def stolen(self) -> Figure:
        """Return the cores that pilots used beyond what was idle alone."""
        return figure(self.pairs, lambda a, b: CORES * max(0.0, b.pilots - a.idle))

    def utilisation(self) -> Figure:
        """Return the effective machine utilisation (Heracles, ISCA 2015).

        The owner's throughput plus that of pilots, each against having the machine alone.
        """
        return figure(
            self.pairs,
            lambda a, b: b.waited.throughput / a.waited.throughput * a.busy + b.pilots,
            highest=1,
        )

    def milliseconds(self, share: float) -> float:
        """Return the median of a percentile over this arm's rounds."""
        return statistics.median(pair.beside.waited.at(share) for pair in self.pairs)


def measure(
    load: float, seed: int, pilots_cpu: CpuReader, connect: Connect, seconds: float = ROUND
) -> Round:
    """Run one round at *load*, a share of all cores."""
    before, used, began = psutil.cpu_times(), pilots_cpu(), time.monotonic()
    waited = offer(load, seconds, seed, connect)
    after, capacity = psutil.cpu_times(), CORES * (time.monotonic() - began)
    idle = after.idle + after.iowait - before.idle - before.iowait
    steal = (after.steal - before.steal) / capacity
    busy = max(0.0, 1.0 - idle / capacity - steal)
    return Round(waited, busy, (pilots_cpu() - used) / capacity, steal)


def offer(load: float, seconds: float, seed: int, connect: Connect) -> Waited:
    """Have the owner serve requests that take a share *load* of all cores, which may be none."""
    if not load:
        time.sleep(seconds)
        return Waited((), seconds)
    return serve(arrivals(load * CORES / REQUEST, seconds, seed), CORES, connect)


def latency(
    arms_at: Callable[[float, Connect], Arms],
    show: Callable[[str], None],
    connect: Connect = lambda _: burn,
) -> None:
    """Print the table of all loads and arms; *arms_at* makes those for a load of this owner."""
    show(f"{CORES} workers, requests of {1000 * REQUEST:g} ms CPU, rounds of {ROUND:g} s, ")
    show("ratios to the round alone next to it: median [95 % interval]")
    for load in LOADS:
        show(f"\nowner's load {load:.0%}")
        show(
            f"{'':<26}{'p50 ms':>8}{'p99 ms':>8}{'p99.9':>8}  {'p99 / alone':<26}"
            f"{'p99.9 / alone':<26}{'harvested':<20}{'stolen cores':<20}{'utilisation':<20}"
            f"{'CPU':<12}dropped"
        )
        seeds = count(1)

        def one(pilots_cpu: CpuReader, load: float = load, seeds: Iterator[int] = seeds) -> Round:
            return measure(load, next(seeds), pilots_cpu, connect)

        for name, pairs in interleaved(arms_at(load, connect), one, BLOCKS).items():
            show(_line(name, Arm(pairs)))


def _line(name: str, arm: Arm) -> str:
    tail = arm.waits(0.99)
    figures = [tail, arm.waits(0.999), arm.harvested(), arm.stolen(), arm.utilisation()]
    shown = [str(each) for each in figures]
    if name == ALONE:
        shown[2:] = [""] * 3
    widths = (26, 26, 20, 20, 20)
    before, after = (
        statistics.mean(round_.busy for round_ in rounds)
        for rounds in ([p.alone for p in arm.pairs], [p.beside for p in arm.pairs])
    )
    waits = "".join(f"{arm.milliseconds(share):>8.1f}" for share in (0.5, 0.99, 0.999))
    cells = "".join(f"{text:<{width}}" for text, width in zip(shown, widths, strict=True))
    return f"{name:<26}{waits}  {cells}{f'{before:.0%} → {after:.0%}':<12}{tail.dropped}"
