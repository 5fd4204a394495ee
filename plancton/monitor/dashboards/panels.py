"""What the dashboards show, and by which queries. Pure data: Grafana is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["stat", "name", "lines", "stack", "bars", "table"]
"""``stat`` shows the newest value, ``name`` the name of the newest series."""

_REASONS = "Pilots that ended, by reason"
_LIFETIME = "Mean lifetime of ended pilots"


@dataclass(frozen=True, slots=True)
class Query:
    """One query and the name of its series; in a table, of its column."""

    text: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Pane:
    """One panel."""

    title: str
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    unit: str = "short"
    """As Grafana calls it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One dashboard."""

    name: str
    """Of its file, and of the dashboard in Grafana's URLs."""
    title: str
    source: Literal["influxdb", "prometheus"]
    panes: tuple[Pane, ...]
    variable: str = ""
    """Name of what is chosen at the top, and ..."""
    choices: str = ""
    """... the query for it; empty: nothing is."""


def _influx(what: str, where: str, *tags: str, over: str = "") -> str:
    """Return a query over steps of time, in InfluxQL. *over*: ``node``, only of the chosen one."""
    chosen = f' AND "{over}" =~ /^${over}$/' if over else ""
    groups = "".join(f', "{tag}"' for tag in tags)
    return (
        f'SELECT {what} FROM "{where}" WHERE $timeFilter{chosen} '
        f"GROUP BY time($__interval){groups} fill(none)"
    )


def _last(what: str, where: str, *tags: str, over: str = "") -> str:
    """Return a query for the newest values, in InfluxQL."""
    chosen = f' AND "{over}" =~ /^${over}$/' if over else ""
    groups = " GROUP BY " + ", ".join(f'"{tag}"' for tag in tags) if tags else ""
    return f'SELECT {what} FROM "{where}" WHERE $timeFilter{chosen}{groups}'


def _each(function: str, *fields: str) -> str:
    return ", ".join(f'{function}("{field}") AS "{field}"' for field in fields)


def _rate(*fields: str) -> str:
    """Return how fast counters grow, per second."""
    parts = (f'non_negative_derivative(last("{each}"), 1s) AS "{each}"' for each in fields)
    return ", ".join(parts)


def _now_influx(title: str, field: str, unit: str = "short") -> Pane:
    text = _last(f'last("{field}")', "plancton_node", over="node")
    return Pane(title, (Query(text),), "stat", unit)


_STATES = ("running", "starting", "frozen", "terminating")

NODE_INFLUX = Sheet(
    "plancton-node-influxdb",
    "Plancton: one node",
    "influxdb",
    (
        _now_influx("Mode", "mode"),
        _now_influx("Running", "running"),
        _now_influx("CPU in use", "cpu_eff", "percent"),
        _now_influx("Harvested share, today", "harvested_share_today", "percentunit"),
        _now_influx("Protection", "protection"),
        _now_influx("Trouble", "trouble"),
        Pane(
            "CPU cores",
            (
                Query(
                    _influx(
                        _each("mean", "foreground", "own", "idle"), "plancton_host", over="node"
                    ),
                    "$col",
                ),
            ),
            "stack",
        ),
        Pane(
            "Pilots",
            (
                Query(
                    _influx(
                        _each("mean", *_STATES),
                        "plancton_pilots",
                        "profile",
                        over="node",
                    ),
                    "$tag_profile $col",
                ),
            ),
            "stack",
        ),
        Pane(
            _REASONS,
            (
                Query(
                    _influx('count("lifetime")', "plancton_exit", "code", over="node"),
                    "$tag_code",
                ),
            ),
            "bars",
        ),
        Pane(
            _LIFETIME,
            (
                Query(
                    _influx('mean("lifetime")', "plancton_exit", "profile", over="node"),
                    "$tag_profile",
                ),
            ),
            unit="s",
        ),
        Pane(
            "Cores harvested, missed and lost",
            (
                Query(
                    _influx(
                        _rate(
                            "harvested_core_seconds",
                            "missed_core_seconds",
                            "lost_core_seconds",
                        ),
                        "plancton_ledger",
                        over="node",
                    ),
                    "$col",
                ),
            ),
        ),
        Pane(
            "Tasks that wait (PSI)",
            (
                Query(
                    _influx(
                        _each("mean", "pressure_cpu", "pressure_memory", "pressure_io"),
                        "plancton_host",
                        over="node",
                    ),
                    "$col",
                ),
            ),
            unit="percent",
        ),
        Pane(
            "Memory available, disk free",
            (
                Query(
                    _influx(
                        _each("mean", "memory_available", "disk_free"), "plancton_host", over="node"
                    ),
                    "$col",
                ),
            ),
            unit="bytes",
        ),
        Pane(
            "Load",
            (Query(_influx('mean("load1")', "plancton_host", over="node"), "over a minute"),),
        ),
        Pane(
            "The engine's tick",
            (
                Query(
                    _influx('mean("tick_seconds")', "plancton_engine", over="node"), "tick_seconds"
                ),
            ),
            unit="s",
        ),
        Pane(
            "The engine: requests to Docker and errors, per second; points kept and lost",
            (
                Query(_influx(_rate("requests", "errors"), "plancton_engine", over="node"), "$col"),
                Query(
                    _influx(
                        _each("last", "queue_depth", "points_dropped"),
                        "plancton_engine",
                        over="node",
                    ),
                    "$col",
                ),
            ),
        ),
    ),
    "node",
    'SHOW TAG VALUES FROM "plancton_node" WITH KEY = "node"',
)


def _of_all(function: str, field: str) -> str:
    """Return a query for a figure of all nodes together, now: each node's newest counts once."""
    newest = _last(f'last("{field}") AS "v"', "plancton_node", "node", "instance")
    return f'SELECT {function}("v") FROM ({newest})'


def _of_all_over_time(function: str, field: str) -> str:
    each = _influx(f'mean("{field}") AS "v"', "plancton_node", "node", "instance")
    return (
        f'SELECT {function}("v") FROM ({each}) WHERE $timeFilter '
        "GROUP BY time($__interval) fill(none)"
    )


_STATUS = (
    'last("mode") AS "mode", last("running") AS "running", last("frozen") AS "frozen", '
    'last("cpu_eff") AS "CPU in use, %", last("docker_up") AS "Docker up", '
    'last("config_good") AS "config good", last("trouble") AS "trouble"'
)

FLEET_INFLUX = Sheet(
    "plancton-fleet-influxdb",
    "Plancton: all nodes",
    "influxdb",
    (
        Pane("Nodes", (Query(_of_all("count", "running")),), "stat"),
        Pane("Pilots running", (Query(_of_all("sum", "running")),), "stat"),
        Pane("CPU in use, mean", (Query(_of_all("mean", "cpu_eff")),), "stat", "percent"),
        Pane(_LIFETIME, (Query(_last('mean("lifetime")', "plancton_exit")),), "stat", "s"),
        Pane(
            "Status",
            (Query(_last(_STATUS, "plancton_node", "node", "instance")),),
            "table",
        ),
        Pane(
            "Pilots running, on each node",
            (Query(_influx('mean("running")', "plancton_node", "node"), "$tag_node"),),
            "stack",
        ),
        Pane("Pilots running, overall", (Query(_of_all_over_time("sum", "running"), "all nodes"),)),
        Pane(
            "CPU in use, on each node",
            (Query(_influx('mean("cpu_eff")', "plancton_node", "node"), "$tag_node"),),
            unit="percent",
        ),
        Pane(
            "CPU in use, mean of all nodes",
            (Query(_of_all_over_time("mean", "cpu_eff"), "all nodes"),),
            unit="percent",
        ),
        Pane(
            _REASONS,
            (Query(_influx('count("lifetime")', "plancton_exit", "code"), "$tag_code"),),
            "bars",
        ),
        Pane(
            _LIFETIME,
            (Query(_influx('mean("lifetime")', "plancton_exit"), "all nodes"),),
            unit="s",
        ),
    ),
)

_HERE = '{instance="$instance"}'
_LONG = "[$__rate_interval]"


def _now_prometheus(title: str, text: str, unit: str = "short") -> Pane:
    return Pane(title, (Query(text),), "stat", unit)


def _label(title: str, text: str, label: str) -> Pane:
    return Pane(title, (Query(text, f"{{{{{label}}}}}"),), "name")


def _busy(where: str) -> str:
    """Return the cores in use, per cent, by node."""
    idle = '{use="idle"}' if not where else where.replace("}", ', use="idle"}')
    return (
        f"100 * (1 - sum by (instance) (plancton_cpu_cores{idle}) "
        f"/ sum by (instance) (plancton_cpu_cores{where}))"
    )


def _mean_life(where: str) -> str:
    return (
        f"sum(rate(plancton_pilot_lifetime_seconds_sum{where}{_LONG})) "
        f"/ sum(rate(plancton_pilot_lifetime_seconds_count{where}{_LONG}))"
    )


NODE_PROMETHEUS = Sheet(
    "plancton-node-prometheus",
    "Plancton: one node",
    "prometheus",
    (
        _label("Mode", f"plancton_mode{_HERE} == 1", "plancton_mode"),
        _now_prometheus("Running", 'sum(plancton_pilots{instance="$instance", state="running"})'),
        _now_prometheus("CPU in use", _busy(_HERE), "percent"),
        _now_prometheus("Docker up", f"plancton_docker_up{_HERE}"),
        _now_prometheus("Configuration good", f"plancton_config_good{_HERE}"),
        _label("Protection", f"plancton_info{_HERE}", "protection"),
        Pane("CPU cores", (Query(f"plancton_cpu_cores{_HERE}", "{{use}}"),), "stack"),
        Pane(
            "Pilots",
            (Query(f"sum by (profile, state) (plancton_pilots{_HERE})", "{{profile}} {{state}}"),),
            "stack",
        ),
        Pane(
            _REASONS,
            (Query(f"increase(plancton_pilots_ended_total{_HERE}{_LONG})", "{{reason}}"),),
            "bars",
        ),
        Pane(_LIFETIME, (Query(_mean_life(_HERE), "all profiles"),), unit="s"),
        Pane(
            "Cores harvested, and missed by reason",
            (
                Query(f"rate(plancton_harvested_core_seconds_total{_HERE}{_LONG})", "harvested"),
                Query(
                    f"rate(plancton_missed_core_seconds_total{_HERE}{_LONG})", "missed: {{reason}}"
                ),
            ),
        ),
        Pane(
            "Tasks that wait (PSI)",
            (Query(f"rate(plancton_stalled_seconds_total{_HERE}{_LONG})", "{{resource}}"),),
            unit="percentunit",
        ),
        Pane(
            "Memory available, disk free",
            (
                Query(f"plancton_memory_available_bytes{_HERE}", "memory"),
                Query(f"plancton_disk_free_bytes{_HERE}", "disk"),
            ),
            unit="bytes",
        ),
        Pane("Load", (Query(f"plancton_load1{_HERE}", "over a minute"),)),
        Pane(
            "The engine's tick",
            (Query(f"plancton_tick_duration_seconds{_HERE}", "tick"),),
            unit="s",
        ),
        Pane(
            "The engine: requests to Docker and errors, per second",
            (
                Query(f"rate(plancton_docker_requests_total{_HERE}{_LONG})", "requests"),
                Query(f"rate(plancton_errors_total{_HERE}{_LONG})", "errors"),
            ),
        ),
    ),
    "instance",
    "label_values(plancton_info, instance)",
)

FLEET_PROMETHEUS = Sheet(
    "plancton-fleet-prometheus",
    "Plancton: all nodes",
    "prometheus",
    (
        _now_prometheus("Nodes", "count(plancton_info)"),
        _now_prometheus("Pilots running", 'sum(plancton_pilots{state="running"})'),
        _now_prometheus("CPU in use, mean", f"avg({_busy('')})", "percent"),
        _now_prometheus(_LIFETIME, _mean_life(""), "s"),
        Pane(
            "Status",
            (
                Query("sum by (instance, plancton_mode) (plancton_mode == 1)", "mode"),
                Query('sum by (instance) (plancton_pilots{state="running"})', "running"),
                Query('sum by (instance) (plancton_pilots{state="frozen"})', "frozen"),
                Query(_busy(""), "CPU in use, %"),
                Query("sum by (instance) (plancton_docker_up)", "Docker up"),
                Query("sum by (instance) (plancton_config_good)", "config good"),
                Query(
                    "time() - max by (instance) (plancton_last_tick_timestamp_seconds)",
                    "tick, s ago",
                ),
            ),
            "table",
        ),
        Pane(
            "Pilots running, on each node",
            (Query('sum by (instance) (plancton_pilots{state="running"})', "{{instance}}"),),
            "stack",
        ),
        Pane(
            "Pilots running, overall",
            (Query('sum(plancton_pilots{state="running"})', "all nodes"),),
        ),
        Pane("CPU in use, on each node", (Query(_busy(""), "{{instance}}"),), unit="percent"),
        Pane(
            "CPU in use, mean of all nodes",
            (Query(f"avg({_busy('')})", "all nodes"),),
            unit="percent",
        ),
        Pane(
            _REASONS,
            (
                Query(
                    f"sum by (reason) (increase(plancton_pilots_ended_total{_LONG}))", "{{reason}}"
                ),
            ),
            "bars",
        ),
        Pane(_LIFETIME, (Query(_mean_life(""), "all nodes"),), unit="s"),
    ),
)

SHEETS = (NODE_INFLUX, FLEET_INFLUX, NODE_PROMETHEUS, FLEET_PROMETHEUS)
