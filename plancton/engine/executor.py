"""Carry actions out, each to an outcome. Errors become words, never exceptions."""

from __future__ import annotations

from plancton.engine.model.action import (
    Discard,
    Freeze,
    Kill,
    Outcome,
    PilotAction,
    Prepare,
    Remove,
    Spawn,
    Terminate,
    Thaw,
)
from plancton.engine.ports import (
    ActionError,
    ImageMissingError,
    NotBoundError,
    Runtime,
    StartingRuntime,
)


def execute(action: PilotAction | Discard, runtime: Runtime) -> Outcome:
    """Do one action on what is there.

    RuntimeUnavailableError passes through: the rest of the tick is void.
    """
    try:
        match action:
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
            case Discard():
                runtime.discard(action.spare)
    except ActionError as error:
        return Outcome(action, error=str(error))
    return Outcome(action)


def begin(action: Spawn | Prepare, runtime: StartingRuntime, name: str = "") -> Outcome:
    """Start a pilot or make a spare, called *name* if given.

    RuntimeUnavailableError passes through.
    """
    if isinstance(action, Spawn):
        return start(action, runtime, name)
    try:
        runtime.prepare(action.profile, action.image_id, name)
    except ActionError as error:
        return Outcome(action, error=str(error))
    return Outcome(action)


def start_in_spare(action: Spawn, runtime: Runtime) -> Outcome | None:
    """Start a pilot in a spare; None if there is none. RuntimeUnavailableError passes through."""
    if not any(spare.profile == action.profile.name for spare in runtime.spares):
        return None
    try:
        pilot = runtime.start_in_spare(action.profile, action.image_id, action.cpus, action.held_to)
    except NotBoundError:
        return None  # it has gone; a pilot that is made anew shows whether any can be bound
    except ActionError as error:
        return Outcome(action, error=str(error))
    return Outcome(action, started=pilot) if pilot else None


def start(action: Spawn, runtime: StartingRuntime, name: str = "") -> Outcome:
    """Start a pilot, called *name* if given; where it cannot be bound to its CPUs, without them.

    RuntimeUnavailableError passes through.
    """
    try:
        cores = action.held_to
        try:
            pilot = runtime.start(action.profile, action.image_id, action.cpus, cores, name)
        except NotBoundError as error:
            pilot = runtime.start(action.profile, action.image_id, (), cores, name)
            return Outcome(action, started=pilot, not_bound=str(error))
    except ActionError as error:
        missing = isinstance(error, ImageMissingError)
        return Outcome(action, error=str(error), image_missing=missing)
    return Outcome(action, started=pilot)
