"""One foreground, served by Plancton and by its peers one after the other, side by side.

The foreground is a timetable of jobs of fixed work. Run alone it tells how long each takes and
how many core-seconds are left; those are what pilots may harvest, at no cost to the jobs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.arms import plancton, pool
from benchmarks.interleaved import ALONE, Arms, CpuReader, interleaved
from benchmarks.intervals import Figure, Pair, figure
from benchmarks.peers import Rule060
from benchmarks.rig import SERVICE, row
from plancton.config.schema import Config
from plancton.engine.model.node import Protection
from plancton.engine.records.ledger import Account
from plancton.runtime.docker.client import DockerClient
from plancton.service.node import LocalNode
from plancton.service.trace_recorder import record_trace
from plancton.simulation.simulator import Assumptions, Simulation, SimulationResult
from plancton.simulation.trace import Trace, read_trace

CORES = os.cpu_count() or 1
BLOCKS = 2
"""Times that each arm serves the foreground twice."""
LIFE = 20
BURN = [
    "sh",
    "-c",
    f"e=$(($(date +%s)+{LIFE})); while [ $(date +%s) -lt $e ]; do "
    "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done",
]
_JOB = "import sys\nx = 0\nfor i in range(int(sys.argv[1])): x += i"
_QUIET = 0.05
_LOOK = 0.02


@dataclass(frozen=True)
class Start:
    """So many jobs of *work* seconds (alone) at a time of the table."""

    at: float
    jobs: int
    work: float
    phase: str


def timetable() -> list[Start]:
    """Return the phases: nothing, one core, all cores, bursts, a ramp."""
    table = [Start(5, 1, 5, "one core"), Start(_ALL_CORES, CORES, 5, "all cores")]
    table += [Start(20 + 4 * i, CORES, 1.5, "bursts") for i in range(3)]
    ramp = [Start(33 + 2 * i, 1, 2 * (CORES - i) + 2, "ramp") for i in range(CORES)]
    return table + ramp


_ALL_CORES = 12
"""When all cores are wanted at once."""
LONG = 33 + 2 * CORES + 8.0
"""Seconds of the whole."""


@dataclass
class Run:
    """What one way of using the idle cores made of it."""

    took: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each job, by phase."""
    idle: float = 0.0
    """Core-seconds that nobody used."""
    steal: float = 0.0
    """Share of all cores' time that the hypervisor gave to others."""
    pilots: list[tuple[float, float]] = field(default_factory=list)
    """CPU-seconds of pilots at moments of the table."""

    @property
    def harvested(self) -> float:
        """CPU-seconds of pilots."""
        return self.pilots[-1][1] - self.pilots[0][1]

    def seconds(self, phase: str = "") -> float:
        """Seconds that all jobs of a phase took together, or those of all phases."""
        return sum(sum(times) for name, times in self.took.items() if phase in ("", name))

    def quiet_after(self) -> float | None:
        """Seconds after all cores are wanted until pilots use almost nothing for a fifth of one."""
        looks = [(at, used) for at, used in self.pilots if _ALL_CORES <= at <= _ALL_CORES + 5]
        for at, used in looks:
            later = next(((t, u) for t, u in looks if t >= at + 0.2), None)
            if later and (later[1] - used) / (later[0] - at) < _QUIET * CORES:
                return at - _ALL_CORES
        return None


class Work:
    """How many turns of the loop are a second on this machine, alone."""

    def __init__(self) -> None:
        """Measure on all cores at once."""
        took = []
        for _ in range(3):
            began = time.monotonic()
            jobs = [self._job(8_000_000) for _ in range(CORES)]
            for job in jobs:
                job.wait()
            took.append(time.monotonic() - began)
        self.turns = 8_000_000 / statistics.median(took)

    def _job(self, turns: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", _JOB, str(turns)])

    def run(self, pilots_cpu: CpuReader) -> Run:
        """Run the timetable while *pilots_cpu* is looked at."""
        run, began, over = Run(), time.monotonic(), threading.Event()
        before = psutil.cpu_times()

        def look() -> None:
            while not over.wait(_LOOK):
                run.pilots.append((time.monotonic() - began, pilots_cpu()))

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        waiters = []
        for start in timetable():
            time.sleep(max(0.0, began + start.at - time.monotonic()))
            for _ in range(start.jobs):
                job = self._job(int(start.work * self.turns))
                waiter = threading.Thread(target=self._wait, args=(job, start, run), daemon=True)
                waiter.start()
                waiters.append(waiter)
        for waiter in waiters:
            waiter.join()
        time.sleep(max(0.0, began + LONG - time.monotonic()))
        over.set()
        watcher.join()
        after = psutil.cpu_times()
        run.idle = after.idle + after.iowait - before.idle - before.iowait
        run.steal = (after.steal - before.steal) / (CORES * (time.monotonic() - began))
        return run

    def _wait(self, job: subprocess.Popen[bytes], start: Start, run: Run) -> None:
        began = time.monotonic()
        job.wait()
        run.took.setdefault(start.phase, []).append(time.monotonic() - began)


def recorded(work: Work) -> Trace:
    """Run the foreground with nothing beside it, and record it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "foreground.csv"
        recorder = threading.Thread(
            target=record_trace,
            args=(Path(folder) / "none.yaml", path, 0.5, LONG - 1),
            daemon=True,
        )
        recorder.start()
        work.run(lambda: 0.0)
        recorder.join()
        return read_trace(path)


def simulated(
    trace: Trace, config: dict[str, object], rule: Rule060 | None = None
) -> SimulationResult:
    """Run the recorded foreground through the simulator."""
    assumptions = Assumptions(
        life=LIFE, protection=Protection.WEIGHT_ONLY if rule else Protection.IDLE, exact_life=True
    )
    made = Config.model_validate(config)
    if rule is None:
        return Simulation(made, trace, assumptions=assumptions).run()
    return Simulation(made, trace, assumptions=assumptions, rule=rule).run()


@contextmanager
def _plancton(client: DockerClient, accounts: list[Account]) -> Iterator[CpuReader]:
    with plancton(client, {}, BURN, short_life=5) as pilots_cpu:
        yield pilots_cpu
        accounts.append(LocalNode(SERVICE["paths"]).engine.snapshot().ledger.total)


def proof(client: DockerClient) -> None:
    """Serve one foreground with Plancton and with its peers, and compare."""
    print(f"one foreground of {LONG:.0f} s, pilots that burn CPU for {LIFE} s each; ", end="")
    print("against the run alone next to it: median [95 % interval]")
    work, accounts = Work(), list[Account]()
    trace = recorded(work)
    arms: Arms = {
        "Plancton": lambda: _plancton(client, accounts),
        "plain containers, in a loop": lambda: pool(client, BURN),
        "--cpu-shares 2, in a loop": lambda: pool(client, BURN, cpu_shares=2),
        "--restart=always": lambda: pool(client, BURN, restart_policy={"Name": "always"}),
    }
    found = interleaved(arms, work.run, BLOCKS)
    for name, pairs in found.items():
        _show(name, pairs)
    total = sum(accounts, Account())
    text = f"{total.evicted} evicted, {total.frozen} frozen, {total.lost:.0f} core-s lost"
    row("Plancton, all its runs", f"{total.started} started", text)
    _simulations(trace, _harvested(found["Plancton"]))


def _harvested(pairs: list[Pair[Run]]) -> Figure:
    return figure(pairs, lambda a, b: min(b.harvested, a.idle) / a.idle, highest=1)


def _slowdown(pairs: list[Pair[Run]], phase: str = "") -> Figure:
    return figure(pairs, lambda a, b: b.seconds(phase) / a.seconds(phase), lowest=1)


def _show(name: str, pairs: list[Pair[Run]]) -> None:
    slowdown = _slowdown(pairs)
    if name == ALONE:
        row("alone: slowdown", str(slowdown), f"{slowdown.dropped} pairs dropped")
        return
    stolen = figure(pairs, lambda a, b: max(0.0, b.harvested - a.idle))
    quiet = [at for pair in pairs if (at := pair.beside.quiet_after()) is not None]
    after = f"{statistics.median(quiet):.2f} s" if len(quiet) == len(pairs) else "never"
    row(f"{name}: harvested share", str(_harvested(pairs)), f"stolen {stolen} core-s")
    row("  slowdown", str(slowdown), f"quiet after {after}; {slowdown.dropped} pairs dropped")
    for phase in pairs[0].alone.took:
        row(f"  slowdown, {phase}", str(_slowdown(pairs, phase)))


def _simulations(trace: Trace, real: Figure) -> None:
    """Print what the simulator makes of the recorded foreground."""
    settings: dict[str, object] = {"pilots": [{"cpus": 1, "memory": "64MB"}]}
    rules = {
        "0.6.0 rule, defaults (simulated)": Rule060(),
        "0.6.0 rule, tuned: 1 s, 2 s, 2 s (simulated)": Rule060(1, 2, 2),
    }
    for name, rule in rules.items():
        result = simulated(trace, settings, rule)
        text = f"slowdown {result.slowdown:.2f}; {rule.killed} killed, {rule.lost:.0f} core-s lost"
        row(f"{name}: share", f"{result.share or 0:.3f}", text)
    ours = simulated(trace, settings)
    text = f"real {real}; started {ours.account.started}"
    row("Plancton simulated on the recorded trace", f"{ours.share or 0:.3f}", text)
