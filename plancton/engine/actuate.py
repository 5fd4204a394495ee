"""Carry actions out, each to an outcome. Errors become words, never exceptions."""

from __future__ import annotations

from collections.abc import Iterable

from plancton.engine.model import Action, Kill, Outcome, Remove, Spawn, Terminate
from plancton.engine.ports import ActionError, ImageMissingError, Images, Runtime


def order(actions: Iterable[Action]) -> list[Action]:
    """Put what frees the machine first, then starts, then the tidying that can wait."""
    urgency = {Kill: 0, Terminate: 1, Spawn: 2, Remove: 3}
    return sorted(actions, key=lambda action: urgency[type(action)])


def actuate(action: Action, runtime: Runtime, images: Images) -> Outcome:
    """Do one action. RuntimeUnavailableError passes through: the rest of the tick is void."""
    try:
        match action:
            case Spawn():
                return Outcome(action, detail=runtime.start(action.profile))
            case Terminate():
                runtime.terminate(action.pilot)
            case Kill():
                runtime.kill(action.pilot)
            case Remove():
                return Outcome(action, detail=runtime.remove(action.pilot))
    except ActionError as error:
        if isinstance(error, ImageMissingError) and isinstance(action, Spawn):
            images.missing(action.profile.image)
        return Outcome(action, error=str(error))
    return Outcome(action)
