"""A fleet of simulated nodes: each with cores and an owner of its own, on all cores of this one."""

from __future__ import annotations

import logging
import math
import os
import random
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process

from plancton.config.expressions import SPANS
from plancton.config.schema import Config
from plancton.engine.loop import Engine
from plancton.engine.records.history import History
from plancton.engine.records.ledger import Account
from plancton.simulation.simulator import Assumptions, Simulation
from plancton.simulation.trace import Trace, TracePoint

NODE_SIZES = (2, 4, 4, 8, 8, 16)
"""Cores of the nodes; each is as likely as the others."""
LOAD_STEP = 300.0
"""Seconds for which an owner keeps to one load."""
TICK = 120.0
"""Seconds between two looks of an engine: a thousand nodes would take hours with those of a
real one."""
CYCLE = 15.0
"""Seconds of a burst and a wait of pilots that wait: short beside a tick, and not too many."""

_MEAN_OVER_PAST = re.compile(rf"_(?:{'|'.join(SPANS)})\b")
"""Finds a mean over the past in an expression."""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What came of one node."""

    kind: str
    ncpus: int
    idle: float
    """Core-seconds that the owner did not ask for."""
    account: Account


@dataclass(frozen=True, slots=True)
class FleetResult:
    """What came of all nodes under one configuration."""

    name: str
    hours: float
    took: float
    nodes: tuple[NodeResult, ...]

    @property
    def idle(self) -> float:
        """Core-seconds that the owners did not ask for."""
        return sum(node.idle for node in self.nodes)

    @property
    def harvested(self) -> float:
        """Core-seconds that pilots used."""
        return self.total(lambda account: account.harvested)

    @property
    def share(self) -> float | None:
        """Part of the idle core-seconds that pilots used; None if there were none."""
        return self.harvested / self.idle if self.idle > 1e-6 else None

    def total(self, what: Callable[[Account], float]) -> float:
        """Return the sum of one figure over all nodes."""
        return sum(what(node.account) for node in self.nodes)

    def of(self, kind: str) -> FleetResult:
        """Return the part of it whose owners are of one kind."""
        nodes = tuple(node for node in self.nodes if node.kind == kind)
        return FleetResult(self.name, self.hours, self.took, nodes)


Rng = random.Random
LoadAtHour = Callable[[float], float]
"""From the hour to the part of the cores that the owner wants."""


def _desk(rng: Rng) -> LoadAtHour:
    """Return somebody who is there for eight hours, and now and then wants all cores."""
    begin = rng.uniform(7, 11)

    def load(hour: float) -> float:
        there = begin <= hour % 24 < begin + 8
        return (1.0 if rng.random() < 0.15 else rng.uniform(0.05, 0.6)) if there else 0.01

    return load


def _server(rng: Rng) -> LoadAtHour:
    """Return a service that is asked more by day than by night."""
    mean, phase = rng.uniform(0.1, 0.6), rng.uniform(0, 4)

    def load(hour: float) -> float:
        return mean * (1 + 0.6 * math.sin((hour - 8 - phase) * math.pi / 12)) + rng.gauss(0, 0.03)

    return load


def _batch(rng: Rng) -> LoadAtHour:
    """Return jobs on all cores, hours long, with hours between them."""
    change, busy = rng.expovariate(1 / 3), False

    def load(hour: float) -> float:
        nonlocal change, busy
        while hour >= change:
            busy = not busy
            change += rng.expovariate(1 / (2 if busy else 4))
        return 1.0 if busy else 0.01

    return load


def _spare(rng: Rng) -> LoadAtHour:
    """Return next to nothing."""
    return lambda _: 0.01 * rng.random()


KINDS: dict[str, Callable[[Rng], LoadAtHour]] = {
    "desk": _desk,
    "server": _server,
    "batch": _batch,
    "spare": _spare,
}


def node_trace(number: int, hours: float) -> Trace:
    """Return the node of a number, always the same: its cores, and what its owner does."""
    rng = random.Random(number)  # noqa: S311 (a repeatable simulation)
    kind, ncpus = rng.choice(tuple(KINDS)), rng.choice(NODE_SIZES)
    load = KINDS[kind](rng)
    times = (LOAD_STEP * i for i in range(math.ceil(hours * 3600 / LOAD_STEP)))
    points = [TracePoint(at, ncpus * min(1.0, max(0.0, load(at / 3600)))) for at in times]
    return Trace(kind, ncpus, 4e9 * ncpus, (*points, TracePoint(hours * 3600, 0.0)))


def run_fleet(
    config: Config, nodes: int, hours: float, assumptions: Assumptions
) -> Iterator[NodeResult]:
    """Simulate so many nodes under one configuration, on all cores; yields them as they are done.

    Each has dice and ticks of its own, whatever the *assumptions* are.
    """
    jobs = [(number, config, hours, assumptions) for number in range(nodes)]
    workers = min(nodes, os.cpu_count() or 1)
    # Fresh processes: forks of one with threads may hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), _prepare_worker) as pool:
        yield from pool.map(_simulate_node, jobs, chunksize=max(1, min(8, nodes // workers)))


NodeJob = tuple[int, Config, float, Assumptions]


class _EngineWithoutSnapshots(Engine):
    """An engine without snapshots, which take a good part of its time: nobody looks at them."""

    def _publish(self, *_: object) -> None:
        """Do nothing."""


class _NoHistory(History):
    """A history of nothing, which is a good part faster, for expressions without a past."""

    def add(self, *_: object) -> History:
        """Forget it."""
        return self

    def means(self, *_: object) -> None:
        """Return nothing."""


class _FleetSimulation(Simulation):
    engine_class = _EngineWithoutSnapshots


def _prepare_worker() -> None:
    """Prepare a worker: what engines log is nobody's, and Ctrl-C is the first process's."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End with the first process, also if that was killed."""
    first = parent_process()
    if first is not None:
        first.join()
        os._exit(1)


def _simulate_node(job: NodeJob) -> NodeResult:
    number, config, hours, assumptions = job
    trace = node_trace(number, hours)
    given = replace(assumptions, tick=TICK, seed=number, cycle=CYCLE)
    node = _FleetSimulation(config, trace, assumptions=given)
    if not _MEAN_OVER_PAST.search(config.model_dump_json()):
        node.engine.books.history = _NoHistory()
    result = node.run()
    return NodeResult(trace.name, trace.ncpus, result.idle, result.account)
