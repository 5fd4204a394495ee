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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import Pool, Rule060
from benchmarks.rig import INSTANCE, SERVICE, SLEEP, clear, cpu_of, mine, row, service, wait
from plancton.config.schema import Config
from plancton.engine.model.node import Protection
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient
from plancton.service.node import LocalNode
from plancton.service.trace_recorder import record_trace
from plancton.simulation.simulator import Assumptions, Simulation, SimulationResult
from plancton.simulation.trace import Trace, read_trace

CORES = os.cpu_count() or 1
LIFE = 40
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
    table = [Start(15, 1, 8, "one core"), Start(30, CORES, 10, "all cores")]
    table += [Start(46 + 5 * i, CORES, 1.5, "bursts") for i in range(5)]
    ramp = [Start(74 + 4 * i, 1, 4 * (CORES - i) + 2, "ramp") for i in range(CORES)]
    return table + ramp


LONG = 74 + 4 * CORES + 14.0
"""Seconds of the whole."""


@dataclass
class Run:
    """What one way of using the idle cores made of it."""

    took: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each job, by phase."""
    cpu: float = 0.0
    """CPU-seconds of all jobs."""
    pilots: list[tuple[float, float]] = field(default_factory=list)
    """CPU-seconds of pilots at moments of the table."""

    def harvested(self) -> float:
        """CPU-seconds of pilots."""
        return self.pilots[-1][1] - self.pilots[0][1] if self.pilots else 0.0

    def slowdown(self, alone: Run) -> float:
        """How much longer all jobs took than alone."""
        mine = sum(sum(times) for times in self.took.values())
        return mine / sum(sum(times) for times in alone.took.values())

    def quiet_after(self, start: float, end: float) -> float | None:
        """Seconds from *start* until pilots use almost nothing over a fifth of a second."""
        looks = [(at, used) for at, used in self.pilots if start <= at <= end]
        for at, used in looks:
            later = next(((t, u) for t, u in looks if t >= at + 0.2), None)
            if later and (later[1] - used) / (later[0] - at) < _QUIET * CORES:
                return at - start
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

    def run(self, pilots_cpu: Callable[[], float | None]) -> Run:
        """Run the timetable while *pilots_cpu* is looked at."""
        run, began, over = Run(), time.monotonic(), threading.Event()

        def look() -> None:
            while not over.wait(_LOOK):
                used = pilots_cpu()
                if used is not None:
                    run.pilots.append((time.monotonic() - began, used))

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
        return run

    def _wait(self, job: subprocess.Popen[bytes], start: Start, run: Run) -> None:
        began = time.monotonic()
        _, _, usage = os.wait4(job.pid, 0)
        job.returncode = 0
        run.took.setdefault(start.phase, []).append(time.monotonic() - began)
        run.cpu += usage.ru_utime + usage.ru_stime


def alone(work: Work) -> tuple[Run, Trace]:
    """Run the foreground with nothing beside it, and record it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "foreground.csv"
        recorder = threading.Thread(
            target=record_trace,
            args=(Path(folder) / "none.yaml", path, 0.5, LONG - 1),
            daemon=True,
        )
        recorder.start()
        run = work.run(lambda: None)
        recorder.join()
        return run, read_trace(path)


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


def proof(client: DockerClient) -> None:
    """Serve one foreground with Plancton and with its peers, and compare."""
    print(f"one foreground of {LONG:.0f} s, pilots that burn CPU for {LIFE} s each")
    work = Work()
    base, trace = alone(work)
    idle = CORES * LONG - base.cpu
    labels, pilot = {spec.INSTANCE: INSTANCE}, {**SLEEP, "command": BURN}
    runs: dict[str, tuple[Run, str]] = {}
    with service(pilot, min_room=0.5, short_life=5, protect={}):
        wait(lambda: len(mine(client)) == CORES)
        runs["Plancton"] = work.run(cpu_of(f"plancton-{INSTANCE}")), ""
        total = LocalNode(SERVICE["paths"]).engine.snapshot().ledger.total
        lost = f"{total.evicted} evicted, {total.frozen} frozen, {total.lost:.0f} core-s lost"
        runs["Plancton"] = runs["Plancton"][0], lost
        started = total.started
    clear(client)
    pools: dict[str, dict[str, Any]] = {
        "plain containers, in a loop": {},
        "--cpu-shares 2, in a loop": {"cpu_shares": 2},
        "--restart=always": {"restart_policy": {"Name": "always"}},
    }
    for name, host in pools.items():
        with Pool(BURN, labels, CORES, **host):
            wait(lambda: len(mine(client)) == CORES)
            runs[name] = work.run(cpu_of("docker")), "none ever gives way"
    for name, (run, note) in runs.items():
        share = run.harvested() / idle
        quiet = run.quiet_after(30, 40)
        reaction = "never" if quiet is None else f"{quiet:.2f} s"
        text = f"slowdown {run.slowdown(base):.2f}, quiet after {reaction}; {note}"
        row(f"{name}: harvested share", f"{share:.3f}", text)
        for phase in base.took:
            mean = statistics.mean(run.took[phase]) / statistics.mean(base.took[phase])
            row(f"  slowdown, {phase}", f"{mean:.2f}")
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
    real = runs["Plancton"][0].harvested() / idle
    text = f"real {real:.3f}; started {ours.account.started}, real {started}"
    row("Plancton simulated on the recorded trace", f"{ours.share or 0:.3f}", text)
