"""The dashboard of one node that Prometheus scrapes."""

from __future__ import annotations

from plancton.monitor.dashboards import panels
from plancton.monitor.dashboards.panels import Dashboard, Panel, Query
from plancton.monitor.dashboards.promql import ONE_NODE, RANGE, cpu_in_use, mean_lifetime


def _value(metric: str, legend: str = "") -> Query:
    return Query(f"{metric}{ONE_NODE}", legend)


def _rate(counter: str, legend: str) -> Query:
    return Query(f"rate({counter}{ONE_NODE}{RANGE})", legend)


NODE_PROMETHEUS = Dashboard(
    "plancton-node-prometheus",
    panels.NODE_TITLE,
    "prometheus",
    (
        Panel("Mode", "name").of(Query(f"plancton_mode{ONE_NODE} == 1", "{{plancton_mode}}")),
        panels.RUNNING_NOW.of(Query('sum(plancton_pilots{instance="$instance", state="running"})')),
        panels.CPU_IN_USE_NOW.of(Query(cpu_in_use(ONE_NODE))),
        Panel("Docker up", "stat").of(_value("plancton_docker_up")),
        Panel("Configuration good", "stat").of(_value("plancton_config_good")),
        Panel("Protection", "name").of(_value("plancton_info", "{{protection}}")),
        panels.CPU_CORES.of(_value("plancton_cpu_cores", "{{use}}")),
        panels.PILOTS.of(
            Query(f"sum by (profile, state) (plancton_pilots{ONE_NODE})", "{{profile}} {{state}}")
        ),
        panels.ENDED_BY_REASON.of(
            Query(f"increase(plancton_pilots_ended_total{ONE_NODE}{RANGE})", "{{reason}}")
        ),
        panels.MEAN_LIFETIME.of(Query(mean_lifetime(ONE_NODE), "all profiles")),
        Panel("Cores harvested, and missed by reason").of(
            _rate("plancton_harvested_core_seconds_total", "harvested"),
            _rate("plancton_missed_core_seconds_total", "missed: {{reason}}"),
        ),
        Panel(panels.PRESSURE_TITLE, unit="percentunit").of(
            _rate("plancton_stalled_seconds_total", "{{resource}}")
        ),
        panels.WAITED_NOW.of(_rate("plancton_foreground_waited_seconds_total", "waited")),
        panels.WAITED.of(
            Query(
                f"rate(plancton_waited_seconds_total{ONE_NODE}{RANGE}) "
                f"/ rate(plancton_waited_foreground_core_seconds_total{ONE_NODE}{RANGE})",
                "{{pilots}}",
            )
        ),
        panels.MEMORY_AND_DISK.of(
            _value("plancton_memory_available_bytes", "memory"),
            _value("plancton_disk_free_bytes", "disk"),
        ),
        panels.LOAD.of(_value("plancton_load1", "over a minute")),
        panels.TICK.of(_value("plancton_tick_duration_seconds", "tick")),
        Panel("The engine: requests to Docker and errors, per second").of(
            _rate("plancton_docker_requests_total", "requests"),
            _rate("plancton_errors_total", "errors"),
        ),
    ),
    variable="instance",
    choices="label_values(plancton_info, instance)",
)
