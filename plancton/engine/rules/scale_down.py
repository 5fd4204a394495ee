"""Rule: end the pilots beyond a lowered maximum. Pure."""

from __future__ import annotations

from plancton.engine.model.pilot import Pilot
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.capacity import of_profile
from plancton.engine.rules.context import DecisionContext


def scale_down(context: DecisionContext) -> None:
    """End the pilots beyond a lowered maximum, of the node or of one profile."""
    for profile in context.policy.profiles:
        maximum = context.policy.maxima.get(profile.name)
        if maximum is not None:
            _scale_down(context, of_profile(context.victims(), profile), maximum)
    _scale_down(context, context.victims(), context.policy.maximum)


def _scale_down(context: DecisionContext, pilots: list[Pilot], maximum: int) -> None:
    reason = Reason.of(Code.SHRINK, running=len(pilots), maximum=maximum)
    for pilot in pilots[: max(0, len(pilots) - maximum)]:
        context.terminate(pilot, reason)
