"""The same program as a web page, by textual-serve."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from plancton.engine.api import RefusedError

HOST = "127.0.0.1"


def command(rundir: Path | None, theme: str, *, control: bool) -> str:
    """Return the command that each visitor's page runs; it never hosts an engine."""
    words = [sys.executable, "-m", "plancton", "tui", "--attach", "--theme", theme]
    words += [] if control else ["--readonly"]
    words += ["--rundir", str(rundir.absolute())] if rundir else []
    return shlex.join(words)


def serve(port: int, rundir: Path | None, theme: str, *, control: bool) -> None:
    """Serve pages until Ctrl-C. RefusedError if textual-serve is not installed."""
    try:
        from textual_serve.server import Server
    except ImportError:
        raise RefusedError(
            "the web view needs textual-serve: pip install 'plancton[web]'"
        ) from None
    Server(command(rundir, theme, control=control), HOST, port, title="Plancton").serve()
