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
    return f"{value:.4g} {objective.shown_unit}".rstrip()


def reading_of(objective: Objective, observation: Observation) -> Reading:
    """Return what was read of an objective's figure."""
    host = observation.host
    if objective.waited:
        waited = observation.load.waited if observation.load else None
        value = None if waited is None else 1000 * waited
        return Reading(value, host.at, host.waited_missing)
    return observation.objectives.get(objective.name) or Reading()


def known_value(objective: Objective, observation: Observation) -> float | None:
    """Return the figure; None: it is not known, or was read too long ago."""
    reading = reading_of(objective, observation)
    age = observation.host.at - reading.at
    return reading.value if age <= FRESH * objective.interval + objective.timeout else None


def objective_alarms(observation: Observation, objectives: Iterable[Objective]) -> Iterator[Alarm]:
    """Yield each objective whose figure is above its limit. What is not known is no violation."""
    for each in objectives:
        value = known_value(each, observation)
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
