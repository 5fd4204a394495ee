"""Run a command for what it prints, within a time and a size; nothing of it is left behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from plancton.runtime.figures.error import FigureError

LARGEST = 2**16
"""Bytes that it may print."""
_LOOK = 0.05
"""Seconds between two looks whether the reading is still wanted, while the command runs."""


def run_command(
    words: Sequence[str], seconds: float, unwanted: Callable[[], bool] = lambda: False
) -> str:
    """Return what a command prints. No shell, no input; in the root folder.

    It is killed with its whole process group after *seconds*, as soon as it is *unwanted*, and
    when it prints too much. What it leaves in the background of its group is killed, too. Raises
    FigureError.
    """
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise FigureError(f"{words[0]} cannot be run: {error.strerror or error}") from None
    with process:
        try:
            out, errors = _listen(process, time.monotonic() + seconds, seconds, unwanted)
        finally:
            # Its number cannot be another's yet: the process has not been waited for.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise FigureError(_failure(process.returncode, errors))
    return out.decode("utf-8", "replace")


def _listen(
    process: subprocess.Popen[bytes], end: float, seconds: float, unwanted: Callable[[], bool]
) -> tuple[bytes, bytes]:
    """Return both outputs when the command has ended."""
    found = {pipe.fileno(): b"" for pipe in (process.stdout, process.stderr) if pipe}
    with selectors.DefaultSelector() as selector:
        for pipe in found:
            selector.register(pipe, selectors.EVENT_READ)
        while True:
            ended = _has_ended(process.pid)
            ready = selector.select(0 if ended else _LOOK)
            for key, _ in ready:
                text = os.read(key.fd, LARGEST)
                found[key.fd] = (found[key.fd] + text)[: LARGEST + 1]
                if not text:
                    selector.unregister(key.fd)
            out, errors = found.values()
            if len(out) > LARGEST:
                raise FigureError(f"the command prints more than {LARGEST} bytes")
            if ended and not ready:  # what it left in the background may keep the pipes open
                return out, errors
            if time.monotonic() > end:
                raise FigureError(f"the command did not end within {seconds:g} s")
            if unwanted():
                raise FigureError("it is no longer wanted")


def _has_ended(pid: int) -> bool:
    """Say whether a child has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _failure(code: int, errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f": {last[:120]}" if last else ""
    if code < 0:
        return f"the command was ended by signal {-code}{said}"
    return f"the command failed with exit code {code}{said}"
