"""What many nodes cost those they all talk to: a configuration's server, database, registry.

One node is measured on real sockets, with the classes that run on nodes. Of many nodes only the
times are made up, by the very code that a node asks when to look or report next.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.database import database
from benchmarks.wire import Counted, server
from plancton.config.schema import Config, Monitor, Remote
from plancton.engine.views.snapshot import EndedPilot, Snapshot
from plancton.monitor.points import end_points
from plancton.monitor.publisher import MetricsPublisher
from plancton.monitor.sinks.influxdb import line_protocol
from plancton.runtime.docker.images import DockerImages
from plancton.service.process.clock import SystemClock
from plancton.service.remote_config.fetch import Fetcher
from plancton.service.remote_config.follow import RemoteConfigFollower, SavedText
from plancton.simulation.many_nodes import TICK, node_trace
from plancton.simulation.simulator import Assumptions, Simulation
from tests.monitor.servers import certificate

MANY = 10_000
REPORTS = 10
"""Reports and looks over which the means of one node are taken."""
INSTANCE, NODE = "root", "node0000.cluster.example"
CONFIG = b"""\
pilots:
  - name: worker
    image: registry.example:5000/lab/worker:latest
    command: [worker, --single-shot, manager.example, "9123"]
    cpus: 1
    memory: 2GB
    ttl: 12h
  - name: analysis
    image: registry.example:5000/lab/analysis:latest
    cpus: 2
    memory: 4GB
    ttl: 6h
spawn:
  maximum: min(ncpus - 1, ram_bytes / max_dock_mem)
monitor:
  influxdb: https://writer:secret@influx.example:8086#plancton
"""
Row = Callable[..., None]


def scale(row: Row) -> None:
    """Measure one node, multiply, and see how many would come in the same second."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        pair = certificate(Path(folder))
        snapshots = list(_day())
        report, start = _reports(Path(folder), snapshots, row)
        look, whole = _looks(pair, row)
        _ends(snapshots[0].node, row)
        _table(report, start, look, whole)
        _peaks(Path(folder), snapshots[-1], row)
        _ticks(row)
        database(Path(folder) / "influx", snapshots, row)


def _day() -> Iterator[Snapshot]:
    """Yield what a simulated node of 8 cores and two profiles publishes every 30 s of a day."""
    pilots = [{"name": "worker", "memory": "1GB"}, {"name": "analysis", "cpus": 2, "memory": "1GB"}]
    seen: list[Snapshot] = []
    config, trace = Config.model_validate({"pilots": pilots}), replace(node_trace(4, 24), ncpus=8)
    Simulation(config, trace, assumptions=Assumptions(tick=30), subscriber=seen.append).run()
    due = seen[0].wall + 60
    for snapshot in seen:
        if snapshot.wall >= due:
            due += 30
            yield replace(snapshot, node=NODE, instance=INSTANCE)


def _reports(folder: Path, snapshots: list[Snapshot], row: Row) -> tuple[Counted, Counted]:
    """Count what a report is on the wire, and what the first one is beyond that."""
    with server(b"") as counted, _reporting(folder, counted, snapshots):
        _wait(lambda: counted.points)
        first = replace(counted)
        _wait(lambda: counted.requests >= first.requests + REPORTS)
        usual = counted.since(first)
    row("points a report, two profiles", f"{usual.points / usual.requests:.1f}")
    row(
        "bytes a report, to the database",
        f"{usual.received / usual.requests:.0f}",
        "gzip, HTTP/1.1",
    )
    row("bytes a report, back", f"{usual.sent / usual.requests:.0f}")
    row("connections for these reports", f"{usual.connections}", f"{usual.requests} reports")
    row("requests of the first report", f"{first.requests}", "one makes the database")
    return usual, first


@contextmanager
def _reporting(folder: Path, counted: Counted, snapshots: list[Snapshot]) -> Iterator[None]:
    """Have the sinks report a fresh snapshot each second."""
    sinks, over = MetricsPublisher(snapshots[0].node, INSTANCE, folder), threading.Event()
    url = f"http://127.0.0.1:{counted.port}#plancton"
    sinks.configure(Monitor.model_validate({"interval": 1, "influxdb": [url]}))

    def feed() -> None:
        for snapshot in snapshots:
            sinks.publish(snapshot)
            if over.wait(0.5):
                return

    threads = [threading.Thread(target=feed), threading.Thread(target=sinks.run)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        sinks.stop()
        for thread in threads:
            thread.join()


def _looks(pair: tuple[Path, Path], row: Row) -> tuple[Counted, Counted]:
    """Count what a look for an unchanged configuration is, over TLS, and one for a new one."""
    with server(CONFIG, pair) as counted:
        remote = Remote(url=f"https://127.0.0.1:{counted.port}/config.yaml", ca_file=str(pair[0]))
        fetcher = Fetcher()
        found = fetcher.fetch(remote)
        assert found
        _settle(counted)
        whole = replace(counted)
        for _ in range(REPORTS):
            assert fetcher.fetch(remote, found.version) is None
        _settle(counted)
        looks = counted.since(whole)
    for name, each in (("an unchanged", looks), ("a new", whole)):
        to, back = each.received / each.requests, each.sent / each.requests
        row(f"bytes a look, {name} configuration", f"{to:.0f} + {back:.0f}", "to and back, TLS")
    row("connections for these looks", f"{looks.connections}", f"{looks.requests} looks")
    return looks, whole


def _settle(counted: Counted) -> None:
    """Wait until the last bytes of closed connections were counted."""
    last = -1
    while last != counted.received + counted.sent:
        last = counted.received + counted.sent
        time.sleep(0.3)


def _ends(node: str, row: Row) -> None:
    """Count what the end of a pilot adds to the next report."""
    ended = EndedPilot(
        "0" * 64, "plancton-worker-abc123", "worker", 0, False, 3600.0, "", "", time.time()
    )
    found = line_protocol(
        end_points(node, INSTANCE, replace(ended, code="exited", core_seconds=3e3), 1)
    )
    row("points an end of a pilot", f"{len(found)}", f"{sum(map(len, found))} bytes before gzip")


def _table(report: Counted, start: Counted, look: Counted, whole: Counted) -> None:
    """Print what many nodes cost at the default intervals."""
    reports, looks = 1 / Monitor().interval, 1 / Remote().interval
    points = report.points / report.requests
    size = (report.received + report.sent) / report.requests
    asked = (look.received + look.sent) / look.requests
    rows: list[tuple[str, float]] = [
        ("database: requests a second", reports),
        ("database: points a second", reports * points),
        ("database: kB a second", reports * size / 1e3),
        ("database: GB a day", reports * size * 86400 / 1e9),
        ("database: requests when all are switched on", start.requests),
        ("config: requests (and TLS handshakes) a second", looks),
        ("config: requests an hour", looks * 3600),
        ("config: kB a second", looks * asked / 1e3),
        ("config: GB a day", looks * asked * 86400 / 1e9),
        ("config: MB more for each change", (whole.received + whole.sent - asked) / 1e6),
    ]
    print(
        f"\n{'reports every 30 s, looks every 5 min':<46} {'1,000 nodes':>14} {'10,000 nodes':>14}"
    )
    for name, one in rows:
        print(f"{name:<46} {1000 * one:>14,.1f} {10000 * one:>14,.1f}")
    print()


def _peaks(folder: Path, snapshot: Snapshot, row: Row) -> None:
    """Print the most requests in one second of an hour after a common start."""
    schedules = {
        "config: looks": _look_times(folder, 0),
        "config: looks while its server is away": _look_times(folder, 7),
        "database: reports": _report_times(folder, snapshot),
        "registry: pulls in the first hour": _pull_times(),
    }
    for name, times in schedules.items():
        counts = Counter(int(at) for at in times if at < 3600)
        row(f"{name}, most in a second", f"{max(counts.values()):,}", f"{MANY:,} without jitter")


def _look_times(folder: Path, failures: int) -> Iterator[float]:
    """Yield when nodes look that have a good copy, and whose first looks fail so many times."""
    remote, file = Remote(url="https://x/y"), folder / "remote.json"
    kept = SavedText(remote.url, remote.path, "", "1", 0.0)
    for _ in range(MANY):
        follower = RemoteConfigFollower(file, SystemClock())
        follower._good = kept
        follower.configure(remote)
        at = follower.first_fetch_delay or 0.0
        yield at
        while at < 3600:
            follower._failures = min(failures, follower._failures + 1)
            at += follower.next_fetch_delay(remote)
            yield at


def _report_times(folder: Path, snapshot: Snapshot) -> Iterator[float]:
    """Yield when nodes report."""
    monitor = Monitor()
    for _ in range(MANY):
        sinks = MetricsPublisher("node", INSTANCE, folder)
        sinks.publish(snapshot)
        at = sinks.first_report_delay(monitor)
        yield at
        now = time.monotonic()
        at += sinks._report([], now, monitor, ending=False) - now
        while at < 3600:
            yield at
            at += monitor.interval


def _pull_times() -> Iterable[float]:
    state_store = DockerImages("", SystemClock())
    return (state_store.first_pull_delay() for _ in range(MANY))


def _ticks(row: Row) -> None:
    """Print what it costs a simulated node that its engine looks as seldom as in a fleet."""
    for name, tick in (("2 min, as in a fleet", TICK), ("5 s, as a real one", 0.01)):
        assumptions = Assumptions(tick=tick, seed=2)
        result = Simulation(Config(), node_trace(2, 24), assumptions=assumptions).run()
        text = (
            f"{result.account.frozen} frozen, {result.account.evicted} evicted; node 2 of a fleet"
        )
        row(f"share, looks every {name}", f"{result.share or 0:.3f}", text)


def _wait(met: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(0.05)
