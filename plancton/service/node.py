"""Plancton as its administrator finds it on this node: running, or only its files."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from plancton.control.client import RemoteEngine
from plancton.engine.handle import NotRunningError
from plancton.engine.model import Mode
from plancton.engine.snapshot import Snapshot
from plancton.service.lock import holder
from plancton.service.orders import MarkerFiles
from plancton.service.paths import Paths

_FIRST_LOOK, _SLOWEST_LOOK = 0.05, 1.0


class Node:
    """The engine of a run directory, whether it runs or not."""

    def __init__(self, paths: Paths) -> None:
        """Look at the engine that uses these *paths*."""
        self.paths, self.orders = paths, MarkerFiles(paths.rundir)
        self._remote = RemoteEngine(paths.socket)

    @property
    def pid(self) -> int | None:
        """PID of the running engine; None: none runs."""
        return holder(self.paths.lock)

    @property
    def engine(self) -> RemoteEngine:
        """The running engine; NotRunningError if none runs."""
        if self.pid is None:
            raise NotRunningError(
                f"no engine runs here ({self.paths.lock} is not locked); "
                "start one: plancton start, or plancton serve"
            )
        return self._remote

    def seen(self) -> Snapshot | None:
        """Return the newest snapshot; None if there is none (yet, or any more)."""
        with suppress(NotRunningError):
            return self.engine.snapshot()
        return None

    def order(self, mode: Mode) -> bool:
        """Set the standing order; returns whether an engine took it, or it is only kept."""
        if self.pid is not None:
            with suppress(NotRunningError):
                self._remote.order(mode)
                return True
        self.orders.order(mode)
        return False

    def stop(self) -> None:
        """Ask the engine to end, by its socket or, if it does not answer, by a signal."""
        try:
            self.engine.stop()
        except NotRunningError:
            if self.pid is not None:
                os.kill(self.pid, signal.SIGTERM)

    def watch(
        self,
        met: Callable[[Snapshot | None], bool],
        limit: float | None = None,
        each: Callable[[Snapshot | None], None] = lambda _: None,
    ) -> bool:
        """Wait until *met* holds of the newest snapshot, or of None when no engine runs.

        Returns whether it did within *limit* seconds; *each* is told of every look.
        """
        end = None if limit is None else time.monotonic() + limit
        pause = _FIRST_LOOK
        while True:
            running, seen = self.pid is not None, self.seen()
            if (seen is not None or not running) and met(seen):
                return True
            each(seen)
            if end is not None and time.monotonic() + pause > end:
                return False
            time.sleep(pause)
            pause = min(_SLOWEST_LOOK, 1.5 * pause)
