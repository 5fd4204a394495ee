"""Rule: say which of the owner's objectives cannot be looked after. Pure."""

from __future__ import annotations

from plancton.config.units import format_duration
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.objectives import known_value, reading_of


def note_unknown_objectives(context: DecisionContext) -> None:
    """Say of each figure that is not known why, once a try has failed."""
    for each in context.policy.protect.slo:
        reading = reading_of(each, context.observation)
        if known_value(each, context.observation) is not None:
            continue
        why = reading.error
        if not why and reading.value is not None:
            why = f"it was last read {format_duration(context.now - reading.at)} ago"
        if why:
            context.findings.append(Reason.of(Code.OBJECTIVE_UNKNOWN, objective=each.name, why=why))
