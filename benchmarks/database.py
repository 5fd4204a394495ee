"""A day of reports written to a real InfluxDB: how fast, how large."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from plancton.config.schema import InfluxTarget
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.delivery_queue import MAX_BATCH
from plancton.monitor.points import node_points
from plancton.monitor.sinks.influxdb import InfluxSink, line_protocol
from tests.conftest import until
from tests.monitor.servers import InfluxServer, running

NODES, SINGLE, MANY = 20, 120, 10_000
"""Nodes whose reports are written, how many reports of each are a request of their own, and nodes
of which one more report is written."""
SOON = {
    "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "2s",
    "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "4s",
}
"""So that it compacts what it has at once, not after hours."""
Row = Callable[..., None]


def database(folder: Path, snapshots: list[Snapshot], row: Row) -> None:
    """Write the reports of a day, some by themselves and the rest in large batches."""
    os.environ.update(SOON)
    influx = InfluxServer(folder)
    with running(influx):
        assert influx.process
        process, target = (
            psutil.Process(influx.process.pid),
            InfluxSink(InfluxTarget(url=influx.url())),
        )
        used = _cpu(process)
        singles = [report for each in snapshots[:SINGLE] for report in _reports(each)]
        for report in singles:
            target.send(report)
        used = _cpu(process) - used
        row("InfluxDB: CPU of a report by itself", f"{1000 * used / len(singles):.2f} ms")
        points, took, cpu = sum(map(len, singles)), 0.0, _cpu(process)
        batched = 0
        for batch in _batches(snapshots[SINGLE:]):
            began = time.perf_counter()
            target.send(batch)
            took, batched = took + time.perf_counter() - began, batched + len(batch)
        cpu = _cpu(process) - cpu
        row("InfluxDB: CPU of 1000 points in one request", f"{1e6 * cpu / batched:.1f} ms")
        row("InfluxDB: such points a second, one writer", f"{batched / took:,.0f}")
        series = influx.ask("SHOW SERIES CARDINALITY")[0]["values"][0][0]
        row("InfluxDB: series a node", f"{series / NODES:g}", "two profiles, without ends")
        until(lambda: not _size(folder / "wal", "*.wal"), 120, 1)
        time.sleep(10)  # it compacts once more when nothing came for a while
        size = _size(folder / "data", "*.tsm")
        text = f"{points + batched:,} points, a day of {NODES} nodes"
        row("InfluxDB: bytes a point on disk", f"{size / (points + batched):.1f}", text)
        row("InfluxDB: MB a node and day", f"{size / 1e6 / NODES:.2f}")
        for nodes in (NODES, MANY):
            for batch in _batches(snapshots[-1:], nodes):
                target.send(batch)
            resident = process.memory_info().rss / 2**20
            row(f"InfluxDB: resident, {nodes:,} nodes", f"{resident:.0f} MiB")


def _reports(snapshot: Snapshot, nodes: int = NODES) -> Iterator[list[str]]:
    """Yield a report of each node: that of one, under other names."""
    report = line_protocol(node_points(snapshot, 30))
    for number in range(nodes):
        yield [line.replace("node0000", f"node{number:04d}") for line in report]


def _batches(snapshots: list[Snapshot], nodes: int = NODES) -> Iterator[list[str]]:
    waiting: list[str] = []
    for snapshot in snapshots:
        for report in _reports(snapshot, nodes):
            waiting += report
        while len(waiting) >= MAX_BATCH:
            yield waiting[:MAX_BATCH]
            del waiting[:MAX_BATCH]
    yield waiting


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _size(folder: Path, kind: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(kind))
