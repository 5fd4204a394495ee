"""Failures as one line on stderr: what, why, what to do; and the exit code."""

from __future__ import annotations

from pathlib import Path

from plancton.cli.terminal import say_error

REFUSED, NO_ENGINE = 1, 3


def explain(error: Exception) -> int | None:
    """Print the line for an expected *error*; None if it is none of those."""
    said = describe(error)
    if said is None:
        return None
    say_error(f"plancton: {said[0]}")
    return said[1]


def describe(error: Exception) -> tuple[str, int] | None:
    """Return the line for an expected *error*, and the exit code; None if it is none of those."""
    from plancton.engine.errors import NotRunningError, RefusedError

    match error:
        case NotRunningError():
            return str(error), NO_ENGINE
        case RefusedError():
            return str(error), REFUSED
    return _describe_rarer(error)


def _describe_rarer(error: Exception) -> tuple[str, int] | None:
    """Describe those errors whose classes take long to import."""
    from pydantic import ValidationError

    from plancton.config.expressions import ExpressionError
    from plancton.config.load import ConfigError
    from plancton.engine.ports import ActionError, RuntimeUnavailableError
    from plancton.service.process.daemon import StartError
    from plancton.service.process.lock import LockedError
    from plancton.service.remote_config.fetch import FetchError
    from plancton.simulation.trace import TraceError

    match error:
        case LockedError(path=path, pid=pid):
            return _locked(path, pid), REFUSED
        case (
            StartError()
            | TraceError()
            | ConfigError()
            | ExpressionError()
            | RuntimeUnavailableError()
            | ActionError()
            | FetchError()
        ):
            return str(error), REFUSED
        case ValidationError():
            return "the engine is of another version than this command", REFUSED
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}", REFUSED
    return None


def _locked(path: Path, pid: int | None) -> str:
    if pid is None:
        return f"a reap or a force-stop is at work (it holds {path}); try again when it has ended"
    return (
        f"another engine runs already, process {pid} (it holds {path}); "
        "see plancton status, or give this one its own node.instance and --rundir"
    )
