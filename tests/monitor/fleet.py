"""A generator of fleets: what many nodes would have reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plancton.config.schema import InfluxTarget
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.points import node_points
from plancton.monitor.sinks.influxdb import InfluxSink, line_protocol


def reports(
    snapshot: Snapshot, nodes: int, times: int, now: float, interval: float = 60.0
) -> Iterator[list[str]]:
    """Yield the lines of each moment, oldest first: *snapshot* as of many nodes, until *now*."""
    for back in reversed(range(times)):
        batch: list[str] = []
        for number in range(nodes):
            # Nodes do not report in the same moment.
            wall = now - interval * (back + number / nodes)
            one = replace(snapshot, node=f"node{number:04d}.example.org", wall=wall)
            points = node_points(one, interval)
            batch += line_protocol(each for each in points if each.measurement == "plancton_node")
        yield batch


def fill(url: str, snapshot: Snapshot, nodes: int, times: int, now: float) -> None:
    """Write a fleet into a database."""
    target = InfluxSink(InfluxTarget(url=url))
    for batch in reports(snapshot, nodes, times, now):
        for begin in range(0, len(batch), 5000):
            target.send(batch[begin : begin + 5000])
