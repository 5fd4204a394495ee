"""The owner's own objectives: figures above their limits, and figures that are not known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from plancton.config.schema import Objective
from plancton.engine.model.node import Observation
from plancton.engine.model.objective import Reading
from plancton.engine.model.pressure import Alarm, Step
from plancton.engine.model.reason import Code, Reason

FRESH = 3
"""Intervals for which a reading counts."""


def signal_of(objective: Objective) -> str:
    """Return the name of an objective's signal, which is that of no other."""
    return f"slo {objective.name}"


def with_unit(value: float, objective: Objective) -> str:
    """Write a value of the figure."""
    return f"{value:.4g} {objective.unit}".rstrip()


def known_value(objective: Objective, reading: Reading | None, now: float) -> float | None:
    """Return the figure as of *now*; None: it is not known, or was read too long ago."""
    if reading is None or reading.value is None:
        return None
    fresh = now - reading.at <= FRESH * objective.interval + objective.timeout
    return reading.value if fresh else None


def objective_alarms(observation: Observation, objectives: Iterable[Objective]) -> Iterator[Alarm]:
    """Yield each objective whose figure is above its limit. What is not known is no violation."""
    for each in objectives:
        value = known_value(each, observation.objectives.get(each.name), observation.host.at)
        if value is None or value <= each.limit or each.step == "off":
            continue
        step = Step[each.step.upper()]
        reason = Reason.of(
            Code.OBJECTIVE,
            objective=each.name,
            value=with_unit(value, each),
            limit=with_unit(each.limit, each),
        )
        after = 0.0 if step is Step.STOP else each.after
        yield Alarm(signal_of(each), step, reason, after, each.recover, all_at_once=False)
