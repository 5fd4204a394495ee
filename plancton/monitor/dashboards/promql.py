"""Queries in PromQL."""

from __future__ import annotations

ONE_NODE = '{instance="$instance"}'
RANGE = "[$__rate_interval]"


def cpu_in_use(selector: str) -> str:
    """Return a query for the cores in use, per cent, by node."""
    idle = '{use="idle"}' if not selector else selector.replace("}", ', use="idle"}')
    return (
        f"100 * (1 - sum by (instance) (plancton_cpu_cores{idle}) "
        f"/ sum by (instance) (plancton_cpu_cores{selector}))"
    )


def mean_lifetime(selector: str) -> str:
    """Return a query for the mean lifetime of the pilots that ended."""
    return (
        f"sum(rate(plancton_pilot_lifetime_seconds_sum{selector}{RANGE})) "
        f"/ sum(rate(plancton_pilot_lifetime_seconds_count{selector}{RANGE}))"
    )
