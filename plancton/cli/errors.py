"""Failures as one line on stderr: what, why, what to do; and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path

REFUSED, NO_ENGINE = 1, 3


def explain(error: Exception) -> int | None:
    """Print the line for an expected *error*; None if it is none of those."""
    from plancton.config.expressions import ExpressionError
    from plancton.config.load import ConfigError
    from plancton.engine.handle import NotRunningError, RefusedError
    from plancton.engine.ports import ActionError, RuntimeUnavailableError
    from plancton.service.daemon import StartError
    from plancton.service.fetch import FetchError
    from plancton.service.lock import LockedError
    from plancton.simulation.trace import TraceError

    match error:
        case NotRunningError():
            return _say(str(error), NO_ENGINE)
        case LockedError(path=path, pid=pid):
            return _say(_locked(path, pid), REFUSED)
        case RefusedError() | StartError() | TraceError() | ConfigError() | ExpressionError():
            return _say(str(error), REFUSED)
        case RuntimeUnavailableError() | ActionError() | FetchError():
            return _say(str(error), REFUSED)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return _say(f"{where}{error.strerror or error}", REFUSED)
    return None


def _locked(path: Path, pid: int | None) -> str:
    if pid is None:
        return f"a reap or a force-stop is at work (it holds {path}); try again when it has ended"
    return (
        f"another engine runs already, process {pid} (it holds {path}); "
        "see plancton status, or give this one its own node.instance and --rundir"
    )


def _say(text: str, code: int) -> int:
    print(f"plancton: {text}", file=sys.stderr)
    return code
