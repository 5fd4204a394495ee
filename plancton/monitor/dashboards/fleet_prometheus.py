"""The dashboard of all nodes that a Prometheus scrapes."""

from __future__ import annotations

from plancton.monitor.dashboards import panels
from plancton.monitor.dashboards.panels import Dashboard, Query
from plancton.monitor.dashboards.promql import RANGE, cpu_in_use, mean_lifetime


def _pilots_by_node(state: str, legend: str) -> Query:
    return Query(f'sum by (instance) (plancton_pilots{{state="{state}"}})', legend)


_ALL_RUNNING = 'sum(plancton_pilots{state="running"})'
_CPU_BY_NODE = cpu_in_use("")
_MEAN_CPU = f"avg({_CPU_BY_NODE})"
_ENDED = f"sum by (reason) (increase(plancton_pilots_ended_total{RANGE}))"
_LAST_TICK_AGE = "time() - max by (instance) (plancton_last_tick_timestamp_seconds)"

FLEET_PROMETHEUS = Dashboard(
    "plancton-fleet-prometheus",
    panels.FLEET_TITLE,
    "prometheus",
    (
        panels.NODES_NOW.of(Query("count(plancton_info)")),
        panels.PILOTS_RUNNING_NOW.of(Query(_ALL_RUNNING)),
        panels.MEAN_CPU_IN_USE_NOW.of(Query(_MEAN_CPU)),
        panels.MEAN_LIFETIME_NOW.of(Query(mean_lifetime(""))),
        panels.STATUS.of(
            Query("sum by (instance, plancton_mode) (plancton_mode == 1)", "mode"),
            _pilots_by_node("running", "running"),
            _pilots_by_node("frozen", "frozen"),
            Query(_CPU_BY_NODE, "CPU in use, %"),
            Query("sum by (instance) (plancton_docker_up)", "Docker up"),
            Query("sum by (instance) (plancton_config_good)", "config good"),
            Query(_LAST_TICK_AGE, "tick, s ago"),
        ),
        panels.RUNNING_BY_NODE.of(_pilots_by_node("running", "{{instance}}")),
        panels.RUNNING_OVERALL.of(Query(_ALL_RUNNING, "all nodes")),
        panels.CPU_IN_USE_BY_NODE.of(Query(_CPU_BY_NODE, "{{instance}}")),
        panels.MEAN_CPU_IN_USE.of(Query(_MEAN_CPU, "all nodes")),
        panels.ENDED_BY_REASON.of(Query(_ENDED, "{{reason}}")),
        panels.MEAN_LIFETIME.of(Query(mean_lifetime(""), "all nodes")),
    ),
)
