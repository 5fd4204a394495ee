"""Carry actions out, each to an outcome. Errors become words, never exceptions."""

from __future__ import annotations

from plancton.engine.model.action import (
    Action,
    Discard,
    Freeze,
    Kill,
    Outcome,
    Prepare,
    Remove,
    Spawn,
    Terminate,
    Thaw,
)
from plancton.engine.ports import (
    ActionError,
    ImageMissingError,
    Images,
    NotBoundError,
    Runtime,
)


def execute(action: Action, runtime: Runtime, images: Images, *, bind: bool = True) -> Outcome:
    """Do one action, where a new pilot is bound to its CPUs only if *bind*.

    RuntimeUnavailableError passes through: the rest of the tick is void.
    """
    try:
        match action:
            case Spawn():
                return _start(action, runtime, action.cpus if bind else ())
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
            case Prepare() | Discard():
                _tend_spare(action, runtime)
    except ActionError as error:
        missing = isinstance(error, ImageMissingError) and isinstance(action, Spawn)
        if missing and isinstance(action, Spawn):
            images.missing(action.profile.image)
        return Outcome(action, error=str(error), image_missing=missing)
    return Outcome(action)


def _tend_spare(action: Prepare | Discard, runtime: Runtime) -> None:
    if isinstance(action, Prepare):
        runtime.prepare(action.profile, action.image_id)
    else:
        runtime.discard(action.spare)


def _start(action: Spawn, runtime: Runtime, cpus: tuple[int, ...]) -> Outcome:
    """Start a pilot; where it cannot be bound to its CPUs, without them."""
    try:
        pilot = runtime.start(action.profile, action.image_id, cpus, action.held_to)
    except NotBoundError as error:
        pilot = runtime.start(action.profile, action.image_id, held_to=action.held_to)
        return Outcome(action, started=pilot, not_bound=str(error))
    return Outcome(action, started=pilot)
