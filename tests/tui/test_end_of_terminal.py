"""A terminal that dies, or takes nothing any more, leaves no process behind."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.conftest import until

_PTY_BUFFER = 4095
"""Bytes that Linux keeps for who does not read."""


@dataclass
class Screen:
    """The demo on a terminal that nobody reads."""

    process: subprocess.Popen[bytes]
    terminal: int

    def hang_up(self) -> None:
        """Close the terminal; the kernel sends SIGHUP."""
        os.close(self.terminal)
        self.terminal = -1


@pytest.fixture
def screen() -> Iterator[Screen]:
    """Return a screen that has filled its terminal, so that whoever writes to it waits."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "plancton", "demo", "--speed", "2000"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "50"},
    )
    os.close(theirs)
    started = Screen(process, ours)
    try:
        until(lambda: _unread(ours) >= _PTY_BUFFER, 30)
    except BaseException:
        process.kill()
        process.wait()
        raise
    yield started
    process.kill()
    process.wait()
    with suppress(OSError):
        os.close(started.terminal)


def _unread(terminal: int) -> int:
    """Return how many bytes lie in a terminal."""
    count: int = struct.unpack("i", fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)))[0]
    return count


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hang-up", "SIGTERM", "both"])
def test_the_process_is_gone_within_seconds(screen: Screen, how: str) -> None:
    """Though its main thread may wait for the terminal for ever."""
    assert screen.process.poll() is None
    if how != "hang-up":
        screen.process.send_signal(signal.SIGTERM)
    if how != "SIGTERM":
        screen.hang_up()
    until(lambda: screen.process.poll() is not None, 30)
