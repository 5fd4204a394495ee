"""Carry actions out, each to an outcome. Errors become words, never exceptions."""

from __future__ import annotations

from plancton.engine.model.action import (
    Action,
    Freeze,
    Kill,
    Outcome,
    Remove,
    Spawn,
    Terminate,
    Thaw,
)
from plancton.engine.ports import ActionError, ImageMissingError, Images, Runtime


def execute(action: Action, runtime: Runtime, images: Images) -> Outcome:
    """Do one action. RuntimeUnavailableError passes through: the rest of the tick is void."""
    try:
        match action:
            case Spawn():
                return Outcome(action, started=runtime.start(action.profile, action.image_id))
            case Freeze():
                runtime.freeze(action.pilot)
            case Thaw():
                runtime.thaw(action.pilot)
            case Terminate():
                runtime.terminate(action.pilot)
            case Kill():
                runtime.kill(action.pilot)
            case Remove():
                return Outcome(action, log=runtime.remove(action.pilot))
    except ActionError as error:
        missing = isinstance(error, ImageMissingError) and isinstance(action, Spawn)
        if missing and isinstance(action, Spawn):
            images.missing(action.profile.image)
        return Outcome(action, error=str(error), image_missing=missing)
    return Outcome(action)
