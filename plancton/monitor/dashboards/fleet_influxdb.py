"""The dashboard of all nodes that report to an InfluxDB."""

from __future__ import annotations

from plancton.monitor.dashboards import panels
from plancton.monitor.dashboards.influxql import newest, over_time
from plancton.monitor.dashboards.panels import Dashboard, Query


def _of_all_now(function: str, field: str) -> Query:
    """Return a query for a figure of all nodes together, now: each node's newest counts once."""
    by_node = newest(f'last("{field}") AS "v"', "plancton_node", "node", "instance")
    return Query(f'SELECT {function}("v") FROM ({by_node})')  # noqa: S608


def _of_all(function: str, field: str) -> Query:
    """Return a query for a figure of all nodes together, over time."""
    by_node = over_time(f'mean("{field}") AS "v"', "plancton_node", "node", "instance")
    text = (
        f'SELECT {function}("v") FROM ({by_node}) WHERE $timeFilter '  # noqa: S608
        "GROUP BY time($__interval) fill(none)"
    )
    return Query(text, "all nodes")


def _by_node(field: str) -> Query:
    return Query(over_time(f'mean("{field}")', "plancton_node", "node"), "$tag_node")


_STATUS = (
    'last("mode") AS "mode", last("running") AS "running", last("frozen") AS "frozen", '
    'last("cpu_eff") AS "CPU in use, %", last("docker_up") AS "Docker up", '
    'last("config_good") AS "config good", last("trouble") AS "trouble"'
)

FLEET_INFLUXDB = Dashboard(
    "plancton-fleet-influxdb",
    panels.FLEET_TITLE,
    "influxdb",
    (
        panels.NODES_NOW.of(_of_all_now("count", "running")),
        panels.PILOTS_RUNNING_NOW.of(_of_all_now("sum", "running")),
        panels.MEAN_CPU_IN_USE_NOW.of(_of_all_now("mean", "cpu_eff")),
        panels.MEAN_LIFETIME_NOW.of(Query(newest('mean("lifetime")', "plancton_exit"))),
        panels.STATUS.of(Query(newest(_STATUS, "plancton_node", "node", "instance"))),
        panels.RUNNING_BY_NODE.of(_by_node("running")),
        panels.RUNNING_OVERALL.of(_of_all("sum", "running")),
        panels.CPU_IN_USE_BY_NODE.of(_by_node("cpu_eff")),
        panels.MEAN_CPU_IN_USE.of(_of_all("mean", "cpu_eff")),
        panels.ENDED_BY_REASON.of(
            Query(over_time('count("lifetime")', "plancton_exit", "code"), "$tag_code")
        ),
        panels.MEAN_LIFETIME.of(Query(over_time('mean("lifetime")', "plancton_exit"), "all nodes")),
    ),
)
