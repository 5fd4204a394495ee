"""All nodes at a glance: 1,000 nodes and 10,000 pilots in a real InfluxDB, beside a ping."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import requests

from plancton.config.schema import Config, InfluxTarget
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.fleet_reader import read_fleet
from plancton.simulation.simulator import Simulation
from plancton.simulation.trace import synthetic_trace
from tests.monitor.fleet import fill
from tests.monitor.servers import InfluxServer, running

PLANCTON = str(Path(sys.executable).with_name("plancton"))
_NODES, _PILOTS, _REPORTS, _TIMES = 1000, 10, 120, 5


def fleet(row: Callable[..., None]) -> None:
    """Measure one look at a fleet that has reported each minute for two hours."""
    with tempfile.TemporaryDirectory(prefix="plancton-bench-") as folder:
        server = InfluxServer(Path(folder, "influx"))
        with running(server):
            fill(server.url(), _busy_node(), _NODES, _REPORTS, time.time())
            target = InfluxTarget(url=server.url())
            members = read_fleet(target)
            look = _time(lambda: read_fleet(target))
            command = [PLANCTON, "fleet", "--url", server.url()]
            whole = _time(lambda: subprocess.run(command, check=True, capture_output=True))
            bare = _time(lambda: requests.get(f"{server.address}/ping", timeout=10))
    pilots = sum(member.running for member in members)
    text = f"{len(members)} nodes, {pilots} pilots; a ping {bare:.3f} s"
    row("fleet: one look", f"{look:.2f} s", text)
    row("fleet: the command as a whole", f"{whole:.2f} s")


def _busy_node() -> Snapshot:
    """Return a node as the engine publishes it, with ten pilots."""
    config = Config.model_validate({"pilots": [{"name": "worker", "cpus": 1}]})
    seen: list[Snapshot] = []
    simulation = Simulation(
        config, synthetic_trace("idle", 12), name="fleet", subscriber=seen.append
    )
    for _ in simulation.ticks():
        if seen and len(seen[-1].pilots) >= _PILOTS:
            running = [pilot for pilot in seen[-1].pilots if pilot.state == "running"]
            if len(running) >= _PILOTS:
                return replace(seen[-1], pilots=tuple(running[:_PILOTS]))
    raise SystemExit("the simulated node never ran ten pilots")


def _time(work: Callable[[], object]) -> float:
    """Return the median of some runs, seconds."""
    took = []
    for _ in range(_TIMES):
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    return statistics.median(took)
