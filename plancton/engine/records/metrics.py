"""The node's figures: what the history keeps, and what expressions may name. Pure."""

from __future__ import annotations

from plancton.config.expressions import MEASURED, SPANS
from plancton.engine.model.node import Observation
from plancton.engine.model.pilot import PilotState
from plancton.engine.records.history import METRICS, SECONDS, History


def levels(observation: Observation) -> tuple[float, ...]:
    """Return what the history keeps of one moment, in the order of its metrics."""
    host, load = observation.host, observation.load
    foreground = load.foreground if load else 0.0
    states = [pilot.state for pilot in observation.pilots]
    return (
        foreground + (load.own if load else 0.0),
        foreground,
        host.load1,
        float(host.memory_available),
        float(host.disk_free),
        float(states.count(PilotState.RUNNING)),
        float(states.count(PilotState.PAUSED)),
    )


def expression_metrics(observation: Observation, history: History, wall: float) -> dict[str, float]:
    """Return the names of expressions with their values here and now."""
    host, present = observation.host, dict(zip(METRICS, levels(observation), strict=True))
    return {
        "ncpus": host.ncpus,
        "ram_bytes": host.memory_total,
        "swap_bytes": host.swap_total,
        **{name: present[name] for name in MEASURED},
        **past(present, history, wall),
    }


def past(present: dict[str, float], history: History, wall: float) -> dict[str, float]:
    """Return the means of what is measured; what was never seen is as it is at *present*."""
    means = {span: history.means(SECONDS[span], wall) or present for span in SPANS}
    return {f"{name}_{span}": means[span][name] for name in MEASURED for span in SPANS}
