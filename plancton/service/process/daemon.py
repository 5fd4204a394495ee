"""Run ``serve`` in the background without systemd, and learn whether it came up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plancton.runtime.file_modes import (
    GROUP,
    PUBLIC,
    PUBLIC_FOLDER,
    make_folder,
    opener,
    write_new,
)
from plancton.service.process.lock import make_own_folder
from plancton.service.process.paths import Paths

START_TIMEOUT = 60.0
"""Seconds a start may take: Docker may hang for half of that before it counts as away."""

_SERVE_COMMAND = (sys.executable, "-m", "plancton", "serve", "--detached")


class StartError(Exception):
    """The service did not come up. Says why."""


def start(paths: Paths, log_level: str) -> int:
    """Start the service in a session of its own; returns its PID once it is ready.

    It says so as it would to systemd. Raises StartError with the last it said, OSError.
    """
    make_own_folder(paths.rundir)
    stderr_file = paths.rundir / "plancton.stderr"
    with tempfile.TemporaryDirectory(prefix="plancton-") as folder, _notify_socket(folder) as ready:
        environment = {**os.environ, "NOTIFY_SOCKET": f"{folder}/notify"}
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"):
            environment.pop(name, None)
        with open(stderr_file, "wb", opener=opener(GROUP, os.O_NOFOLLOW)) as stderr:
            child = subprocess.Popen(
                [*_SERVE_COMMAND, "--log-level", log_level, *_options(paths)],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            state = _next_state(ready)
            if state == "READY=1" and _next_state(ready) != "STOPPING=1":
                return child.pid
            code = child.wait(START_TIMEOUT) if state else child.poll()
            if code is not None:
                raise StartError(_failure_text(code, stderr_file))
    raise StartError(
        f"process {child.pid} was started and is not ready after {START_TIMEOUT:.0f} s; "
        f"see {paths.log}"
    )


def _options(paths: Paths) -> list[str]:
    """Return the paths as options; the service's working directory is the root."""
    named = {"rundir": paths.rundir, "logdir": paths.logdir, "statedir": paths.statedir}
    named["pidfile"] = paths.pid
    if paths.asked_for_config:
        named["config"] = paths.config
    return [word for name, path in named.items() for word in (f"--{name}", str(path.absolute()))]


@contextmanager
def _notify_socket(folder: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(f"{folder}/notify")
        made.settimeout(0.1)
        yield made


def _next_state(ready: socket.socket) -> str:
    """Return the next thing the service says about its state; empty: nothing for a moment."""
    with suppress(TimeoutError):
        words = ready.recv(4096).decode().split("\n")
        return next((word for word in words if word in ("READY=1", "STOPPING=1")), "")
    return ""


def _failure_text(code: int, stderr_file: Path) -> str:
    lines = stderr_file.read_text(errors="replace").split("\n")
    last = [line.removeprefix("plancton: ") for line in lines if line.strip()][-3:]
    if code == 0:
        return "it ended at once, as asked while it was away; force-start takes that back"
    return "; ".join(last) or f"it ended with code {code}"


@contextmanager
def pidfile(path: Path | None) -> Iterator[None]:
    """Hold the PID file, if there is to be one."""
    if path is None:
        yield
        return
    make_folder(path.parent, PUBLIC_FOLDER)
    new = path.with_name(f".{path.name}.new")
    write_new(new, f"{os.getpid()}\n", PUBLIC)
    new.replace(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
