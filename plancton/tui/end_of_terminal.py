"""What SIGHUP and SIGTERM mean for the program, even if its terminal no longer takes anything.

Textual writes to the terminal on a thread with a bounded queue. When the terminal dies, nobody
empties that queue, and the main thread waits in it for ever, event loop and all. So these signals
are taken by handlers of Python's own, which run in a waiting main thread too, and a thread sees
to it that the process ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

PATIENCE = 5.0
"""Seconds that the program has to end by itself once it may."""
_POLL_INTERVAL = 0.1


class EndOfTerminal:
    """Handles both signals from ``install`` to ``restore``."""

    def __init__(self, leave: Callable[[], None], may_exit: Callable[[], bool]) -> None:
        """Call *leave* at the first signal, and end PATIENCE seconds after *may_exit* holds.

        *leave* runs in the main thread, wherever that is: it only asks for things.
        """
        self._leave, self._may_exit = leave, may_exit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._previous: dict[int, Any] = {}
        self._ending = False

    def install(self, exit_app: Callable[[], None]) -> None:
        """Take the signals from now on; *exit_app* ends the program by its own means."""
        self._exit_app, self._loop = exit_app, asyncio.get_running_loop()
        with suppress(ValueError):  # not the main thread: somebody else takes them
            for number in (signal.SIGHUP, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Leave the signals to whoever had them before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _let_go_of_the_terminal()
        self._leave()
        if not self._ending:
            self._ending = True
            threading.Thread(target=self._end, name="end-of-terminal", daemon=True).start()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._exit_app)

    def _end(self) -> None:
        while not self._may_exit():
            time.sleep(_POLL_INTERVAL)
        time.sleep(PATIENCE)
        os._exit(1)  # the main thread still waits for the terminal


def _let_go_of_the_terminal() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        with suppress(OSError):
            os.dup2(nowhere, number)
