"""Rule: do what the operator asked for. Pure."""

from __future__ import annotations

from plancton.engine.model.action import Freeze, Thaw
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.context import DecisionContext


def apply_operator_requests(context: DecisionContext) -> None:
    """Do what the operator asked for at once; this is also quicker than any TTL."""
    reason = Reason.of(Code.OPERATOR, mode=context.observation.mode.value)
    if context.observation.mode is Mode.FORCED:
        for pilot in context.live():
            context.kill(pilot, reason)
    elif context.observation.mode is Mode.ENDING:
        for pilot in context.untouched():
            context.terminate(pilot, reason)
    for pilot in context.live():
        command = context.observation.pilot_commands.get(pilot.id)
        if command is not None and pilot.id not in context.acted:
            _apply_pilot_command(context, pilot, command)


def _apply_pilot_command(context: DecisionContext, pilot: Pilot, command: PilotCommand) -> None:
    reason = Reason.of(Code.PILOT_COMMAND, wish=command.value)
    ending = context.endings.get(pilot.id)
    if command is PilotCommand.KILL and (
        ending is None or ending.reason.code is not Code.PILOT_COMMAND
    ):
        context.endings.pop(pilot.id, None)  # killed for this reason, whatever ended it before
        context.kill(pilot, reason)
    elif command is PilotCommand.FREEZE and pilot.state is PilotState.RUNNING and ending is None:
        context.add_action(Freeze(pilot, reason))
    elif command is PilotCommand.THAW and pilot.frozen:
        context.add_action(Thaw(pilot, reason))
