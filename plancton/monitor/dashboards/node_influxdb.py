"""The dashboard of one node that reports to InfluxDB."""

from __future__ import annotations

from plancton.monitor.dashboards import influxql, panels
from plancton.monitor.dashboards.influxql import each, rate
from plancton.monitor.dashboards.panels import Dashboard, Panel, Query


def _newest(field: str) -> Query:
    return Query(influxql.newest(f'last("{field}")', "plancton_node", node="node"))


def _over_time(what: str, measurement: str, *tags: str, legend: str) -> Query:
    return Query(influxql.over_time(what, measurement, *tags, node="node"), legend)


def _columns(what: str, measurement: str) -> Query:
    """Return a query of several fields, each named by itself."""
    return _over_time(what, measurement, legend="$col")


_PILOTS_BY_STATE = _over_time(
    each("mean", "running", "starting", "frozen", "terminating"),
    "plancton_pilots",
    "profile",
    legend="$tag_profile $col",
)
_CORES_BY_USE = rate("harvested_core_seconds", "missed_core_seconds", "lost_core_seconds")
_WAITED = ", ".join(
    f'{influxql.growth(waited)} / {influxql.growth(used)} AS "{name}"'
    for waited, used, name in (
        ("waited_seconds", "foreground_core_seconds", "beside pilots"),
        ("waited_alone_seconds", "foreground_alone_core_seconds", "without pilots"),
    )
)
_PRESSURES = each("mean", "pressure_cpu", "pressure_memory", "pressure_io")

NODE_INFLUXDB = Dashboard(
    "plancton-node-influxdb",
    panels.NODE_TITLE,
    "influxdb",
    (
        Panel("Mode", "stat").of(_newest("mode")),
        panels.RUNNING_NOW.of(_newest("running")),
        panels.CPU_IN_USE_NOW.of(_newest("cpu_eff")),
        Panel("Harvested share, today", "stat", "percentunit").of(_newest("harvested_share_today")),
        Panel("Protection", "stat").of(_newest("protection")),
        Panel("Trouble", "stat").of(_newest("trouble")),
        panels.CPU_CORES.of(_columns(each("mean", "foreground", "own", "idle"), "plancton_host")),
        panels.PILOTS.of(_PILOTS_BY_STATE),
        panels.ENDED_BY_REASON.of(
            _over_time('count("lifetime")', "plancton_exit", "code", legend="$tag_code")
        ),
        panels.MEAN_LIFETIME.of(
            _over_time('mean("lifetime")', "plancton_exit", "profile", legend="$tag_profile")
        ),
        Panel("Cores harvested, missed and lost").of(_columns(_CORES_BY_USE, "plancton_ledger")),
        Panel(panels.PRESSURE_TITLE, unit="percent").of(_columns(_PRESSURES, "plancton_host")),
        panels.WAITED_NOW.of(_columns(each("mean", "waited"), "plancton_host")),
        panels.WAITED.of(_columns(_WAITED, "plancton_ledger")),
        panels.MEMORY_AND_DISK.of(
            _columns(each("mean", "memory_available", "disk_free"), "plancton_host")
        ),
        panels.LOAD.of(_over_time('mean("load1")', "plancton_host", legend="over a minute")),
        panels.TICK.of(
            _over_time('mean("tick_seconds")', "plancton_engine", legend="tick_seconds")
        ),
        Panel("The engine: requests to Docker and errors, per second; points kept and lost").of(
            _columns(rate("requests", "errors"), "plancton_engine"),
            _columns(each("last", "queue_depth", "points_dropped"), "plancton_engine"),
        ),
    ),
    variable="node",
    choices='SHOW TAG VALUES FROM "plancton_node" WITH KEY = "node"',
)
