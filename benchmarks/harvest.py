"""What Plancton harvests beside an owner, and what its simulator makes of the same load.

Pilots compute in bursts and wait in between; bursts, waits and lives are exponentially
distributed, so that any moment of a run is as good as another.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Any

from benchmarks import latency
from benchmarks.interleaved import ALONE, CpuReader, interleaved
from benchmarks.intervals import Figure, Pair, bootstrap, figure
from benchmarks.latency import AWAKE, Round, offer
from benchmarks.owner import burn
from benchmarks.pilots import COUNT, turns_a_second, waiting
from benchmarks.rig import INSTANCE, SERVICE, SLEEP, clear, cpu_of, mine, service, wait
from plancton.config.schema import Config
from plancton.engine.records.ledger import Account
from plancton.engine.views.snapshot import Snapshot
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient
from plancton.service.node import LocalNode
from plancton.simulation.simulator import Assumptions, Simulation
from plancton.simulation.trace import Trace, TracePoint

CORES = os.cpu_count() or 1
LOADS = (0.0, 0.2)
EFFICIENCIES = (1.0, 0.6, 0.3)
ARMS: dict[str, str | float] = {"off": "off", "1.5": 1.5, "auto": "auto"}
LIVES = "10,60"
"""Mean seconds that pilots live, unless the environment variable LIVES says otherwise."""
BLOCKS, ROUNDS = 1, 4
"""Times that each arm is run on a load, and its rounds each time."""
ROUND = 3.5
"""Seconds of a round, or a twentieth of a life if that is longer."""
SETTLE = 3.0
"""Seconds before the rounds of an arm."""
CYCLE = 0.2
"""Mean seconds of a burst and a wait: short, so that a round has many."""
LEARN = float(os.environ.get("LEARN", "600"))
"""Seconds that ``auto`` learns on an idle node, once for each efficiency."""
SIMULATED, LEARNED = 3000.0, 1000.0
"""Seconds that are simulated, and of these not counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """An owner, and pilots."""

    owner: float
    """Share of all cores that the owner wants."""
    efficiency: float
    """Part of the time that a pilot computes when nothing delays it."""
    life: float
    """Mean seconds that a pilot lives."""

    def __str__(self) -> str:
        """Return it as a headline."""
        return f"owner {self.owner:.0%}, pilots of {self.efficiency:.0%} that live {self.life:g} s"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round saw."""

    round: Round
    seconds: float
    account: Account
    """Of the service since its start, at the end of the round."""
    before: Account
    """The same at its begin."""
    pilots: int = 0
    factor: float = 1.0
    """How many times free cores were promised."""

    @property
    def steal(self) -> float:
        """Share of all cores' time that the hypervisor gave to others."""
        return self.round.steal

    def per_minute(self, of: Callable[[Account], float]) -> float:
        """Return how much more of a figure there is at the end, for each minute."""
        return 60 * (of(self.account) - of(self.before)) / self.seconds


@dataclass
class Harvest:
    """The measurement: what is known of pilots, and what ``auto`` has learned."""

    client: DockerClient
    folder: Path
    turns: float = 0.0
    """Turns of a pilot's loop in a second of CPU time."""
    learned: dict[float, float] = field(default_factory=dict)
    seeds: Iterator[int] = field(default_factory=lambda: count(1))

    def calibrate(self) -> None:
        """Count the turns of a pilot's loop, on all cores at once."""
        limits = self.client.create_host_config(network_mode="none")
        labels = {spec.INSTANCE: INSTANCE}
        made = [
            self.client.create_container("busybox", COUNT, host_config=limits, labels=labels)["Id"]
            for _ in range(CORES)
        ]
        for each in made:
            self.client.start(each)
        for each in made:
            self.client.wait(each)
        self.turns = statistics.median(turns_a_second(self.client.logs(each)) for each in made)
        clear(self.client)

    def pilot(self, load: Load) -> dict[str, Any]:
        """Return the profile of a pilot."""
        command = waiting(self.turns, load.efficiency, load.life, CYCLE)
        return {**SLEEP, "command": command}

    def learn(self, load: Load) -> None:
        """Let ``auto`` come to what it promises in the long run; it is kept for its rounds."""
        with self._service(load, "auto"):
            time.sleep(LEARN)
            self.learned[load.efficiency] = _snapshot().overcommit
        clear(self.client)

    @contextmanager
    def arm(self, load: Load, overcommit: str | float) -> Iterator[CpuReader]:
        """Run a service on this load."""
        with self._service(load, overcommit):
            wait(lambda: mine(self.client))
            offer(load.owner, SETTLE, 0, lambda _: burn)
            read = cpu_of(f"plancton-{INSTANCE}")
            yield lambda: read() or 0.0
        clear(self.client)

    @contextmanager
    def _service(self, load: Load, overcommit: str | float) -> Iterator[None]:
        state = self.folder / f"{overcommit}-{load.efficiency}"
        state.mkdir(exist_ok=True)
        limits: dict[str, Any] = {"maximum": "4 * ncpus", "min_room": 0.5, "overcommit": overcommit}
        with service(self.pilot(load), protect={}, state=state, **limits):
            wait(SERVICE["paths"].socket.exists)
            yield

    def measure(self, load: Load, pilots_cpu: CpuReader) -> Sample:
        """Run one round."""
        serves = SERVICE and SERVICE["paths"].socket.exists()
        before = _snapshot().ledger.total if serves else Account()
        seconds = max(ROUND, load.life / 20)
        began = time.monotonic()
        seen = latency.measure(load.owner, next(self.seeds), pilots_cpu, lambda _: burn, seconds)
        took = time.monotonic() - began
        if not serves:
            return Sample(seen, took, before, before)
        after = _snapshot()
        pilots = len(mine(self.client))
        return Sample(seen, took, after.ledger.total, before, pilots, after.overcommit)


def _snapshot() -> Snapshot:
    return LocalNode(SERVICE["paths"]).engine.snapshot()


def loads() -> list[Load]:
    """Return the loads: pilots that compute little and live briefly tell nothing new."""
    lives = sorted(float(each) for each in os.environ.get("LIVES", LIVES).split(","))
    every = [Load(*each) for each in product(LOADS, EFFICIENCIES, lives)]
    return [each for each in every if each.efficiency >= 0.5 or each.life == lives[-1]]


def simulated(load: Load, overcommit: str | float, foreground: float) -> tuple[float, float]:
    """Return the harvested share in the simulator, and how many times cores were promised."""
    points = (TracePoint(0, foreground), TracePoint(SIMULATED, foreground))
    limits = {"maximum": "4 * ncpus", "short_life": 0, "overcommit": overcommit}
    config = Config.model_validate({"pilots": [{"memory": "10MB"}], "spawn": limits})
    assumptions = Assumptions(life=load.life, efficiency=load.efficiency, cycle=CYCLE)
    run = Simulation(config, Trace("steady", CORES, 16e9, points), assumptions=assumptions)
    node, marks, factors = run.node, list[tuple[float, float]](), list[float]()
    begin = node.now() + LEARNED
    for _ in run.ticks():
        if node.now() >= begin:
            marks.append((node.now(), node.own_seconds))
            decision = run.engine.builder.decision
            factors.append(decision.overcommit if decision else 1.0)
    (start, used), (end, used_at_end) = marks[0], marks[-1]
    share = (used_at_end - used) / (end - start) / (CORES - foreground)
    return share, statistics.mean(factors)


def harvest(client: DockerClient) -> None:
    """Print for each load and arm what was harvested, what it cost, and what was simulated."""
    asked = loads()
    print(
        f"pilots compute in bursts, a burst and a wait are {CYCLE:g} s together;\n"
        "shares and rates: mean [95 % interval], slowdown: ratio to the round alone"
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Harvest(client, Path(folder))
        run.calibrate()
        for efficiency in EFFICIENCIES:
            if efficiency < 1:
                run.learn(Load(0.0, efficiency, asked[-1].life))
                print(f"auto learned {run.learned[efficiency]:.2f} from pilots of {efficiency:.0%}")
        for load in asked:
            _show(load, _measured(run, load))


def _measured(run: Harvest, load: Load) -> dict[str, list[Pair[Sample]]]:
    def start(overcommit: str | float) -> Callable[[], Any]:
        return lambda: run.arm(load, overcommit)

    arms = {name: start(overcommit) for name, overcommit in ARMS.items()}
    return interleaved(arms, lambda reader: run.measure(load, reader), BLOCKS, ROUNDS)


def _show(load: Load, found: dict[str, list[Pair[Sample]]]) -> None:
    alone = [pair.alone.round.busy for pair in found.pop(ALONE)]
    foreground = CORES * statistics.mean(alone)
    print(f"\n{load}; foreground {foreground:.2f} of {CORES} cores")
    print(
        f"{'':<6}{'harvested':<20}{'simulated':<11}{'differs':<9}{'promised':<10}{'(sim.)':<8}"
        f"{'pilots':<8}{'p50 / alone':<20}{'p99 / alone':<20}{'starts a minute':<24}"
        f"{'evicted':<20}{'core-s lost':<20}dropped"
    )
    for name, pairs in found.items():
        print(_line(load, name, pairs, foreground), flush=True)


def _line(load: Load, name: str, pairs: list[Pair[Sample]], foreground: float) -> str:
    share = _harvested(pairs)
    expected, promised = simulated(load, ARMS[name], foreground)
    known = share.interval is not None and share.trusted
    differs = f"{share.interval.value - expected:+.3f}" if known and share.interval else "-"
    samples = [pair.beside for pair in pairs]
    factor = statistics.mean(each.factor for each in samples)
    pilots = statistics.mean(each.pilots for each in samples)
    cells = (
        (str(share), 20),
        (f"{expected:.3f}", 11),
        (differs, 9),
        (f"{factor:.2f}", 10),
        (f"{promised:.2f}", 8),
        (f"{pilots:.1f}", 8),
        (_slowdown(pairs, 0.5) if load.owner else "-", 20),
        (_slowdown(pairs, 0.99) if load.owner else "-", 20),
        (_rate(samples, lambda account: account.started), 24),
        (_rate(samples, lambda account: account.evicted), 20),
        (_rate(samples, lambda account: account.lost), 20),
        (str(share.dropped), 0),
    )
    return f"{name:<6}" + "".join(f"{text:<{width}}" for text, width in cells)


def _harvested(pairs: list[Pair[Sample]]) -> Figure:
    """Return the mean share of what was idle alone that pilots used."""

    def of(alone: Sample, beside: Sample) -> float:
        idle = alone.round.idle
        return beside.round.pilots / idle if idle else float("inf")

    return figure(pairs, of, highest=1, statistic=statistics.mean)


def _slowdown(pairs: list[Pair[Sample]], part: float) -> str:
    """Return how many times longer this part of the owner's requests waited than alone."""
    return str(
        figure(pairs, lambda a, b: b.round.waited.at(part) / a.round.waited.at(part), lowest=AWAKE)
    )


def _rate(samples: Sequence[Sample], of: Callable[[Account], float]) -> str:
    return str(bootstrap([each.per_minute(of) for each in samples], statistics.mean))
