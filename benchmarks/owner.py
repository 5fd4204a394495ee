"""An owner whose requests arrive by themselves, and what they waited.

Open loop: arrivals are a Poisson process drawn beforehand, and a latency counts from the arrival
that was scheduled, so a slow answer delays no later question (Tene, "coordinated omission"). As
many workers as cores take them in turn. Processes, because threads of Python share one lock.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from multiprocessing.context import ForkContext

from benchmarks.intervals import quantile

REQUEST = 0.001
"""CPU-seconds that a request burns."""
_LEAD = 0.2
"""Seconds until the first arrival, for the workers to be there."""


@dataclass(frozen=True, slots=True)
class Waited:
    """Latencies of all requests of a round, in seconds, the shortest first."""

    latencies: tuple[float, ...]
    seconds: float
    """From the first scheduled arrival to the last answer."""

    def at(self, share: float) -> float:
        """Return the latency within which *share* of the requests were answered, in ms."""
        return 1000 * quantile(self.latencies, share)

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the times of a Poisson process of *rate* a second, from 0."""
    draw = random.Random(seed)  # noqa: S311 (a workload)
    at = 0.0

    def following() -> float:
        nonlocal at
        at += draw.expovariate(rate)
        return at

    return list(takewhile(lambda moment: moment < seconds, iter(following, None)))


def burn() -> None:
    """Use the CPU for the time of one request, however long that takes."""
    end = time.thread_time() + REQUEST
    while time.thread_time() < end:
        pass


Connect = Callable[[int], Callable[[], None]]
"""Makes the connection of a worker, by its number; returns what does one request."""


def serve(times: list[float], workers: int, connect: Connect = lambda _: burn) -> Waited:
    """Answer requests that arrive at these *times*; each worker makes its own connection."""
    context: ForkContext = multiprocessing.get_context("fork")
    taken = context.Value("L", 0)
    latencies = context.RawArray("d", len(times))
    begin = time.monotonic() + _LEAD

    def work(number: int) -> None:
        request = connect(number)
        while True:
            with taken.get_lock():
                mine = taken.value
                taken.value += 1
            if mine >= len(times):
                return
            due = begin + times[mine]
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            request()
            latencies[mine] = time.monotonic() - due

    processes = [context.Process(target=work, args=(each,)) for each in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a worker of the owner ended with code {process.exitcode}")
    return Waited(tuple(sorted(latencies)), time.monotonic() - begin)
