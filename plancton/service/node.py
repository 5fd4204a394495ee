"""Plancton as its administrator finds it on a node: running, or only its files."""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from plancton.control.client import RemoteEngine
from plancton.control.transport import Transport
from plancton.engine.api import NotRunningError
from plancton.engine.model.operator import Mode
from plancton.engine.views.snapshot import Snapshot
from plancton.service.marker_files import MarkerFiles
from plancton.service.process.lock import holder, no_engine_error
from plancton.service.process.paths import Paths

_FIRST_PAUSE = 0.05


class NodeClient(ABC):
    """A node, this machine or another."""

    longest_pause = 1.0
    """Seconds between two observations of something that takes long."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """PID of the running engine; None: none runs."""

    @property
    @abstractmethod
    def engine(self) -> RemoteEngine:
        """The running engine; NotRunningError if none runs."""

    @abstractmethod
    def set_mode(self, mode: Mode) -> bool:
        """Set the standing order; returns whether an engine took it, or it is only kept."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the engine to end."""

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot; None if there is none (yet, or any more)."""
        with suppress(NotRunningError):
            return self.engine.snapshot()
        return None

    def observe(self) -> tuple[bool, Snapshot | None]:
        """Return whether an engine runs, and its newest snapshot."""
        snapshot = self.newest_snapshot()
        return snapshot is not None, snapshot

    def wait_for(
        self,
        met: Callable[[Snapshot | None], bool],
        limit: float | None = None,
        each: Callable[[Snapshot | None], None] = lambda _: None,
    ) -> bool:
        """Wait until *met* holds of the newest snapshot, or of None when no engine runs.

        Returns whether it did within *limit* seconds; *each* is told of every observation.
        """
        end = None if limit is None else time.monotonic() + limit
        pause = _FIRST_PAUSE
        while True:
            running, snapshot = self.observe()
            if (snapshot is not None or not running) and met(snapshot):
                return True
            each(snapshot)
            if end is not None and time.monotonic() + pause > end:
                return False
            time.sleep(pause)
            pause = min(self.longest_pause, 1.5 * pause)


class LocalNode(NodeClient):
    """The engine of a run directory of this machine, whether it runs or not."""

    def __init__(self, paths: Paths) -> None:
        """Look at the engine that uses these *paths*."""
        self.paths, self.marker_files = paths, MarkerFiles(paths.rundir)
        self._remote = RemoteEngine(paths.socket)

    @property
    def pid(self) -> int | None:
        """PID of the running engine; None: none runs."""
        return holder(self.paths.lock)

    @property
    def engine(self) -> RemoteEngine:
        """The running engine; NotRunningError if none runs."""
        if self.pid is None:
            raise no_engine_error(self.paths.lock)
        return self._remote

    def set_mode(self, mode: Mode) -> bool:
        """Set the standing order; returns whether an engine took it, or it is only kept."""
        if self.pid is not None:
            with suppress(NotRunningError):
                self._remote.order(mode)
                return True
        self.marker_files.order(mode)
        return False

    def stop(self) -> None:
        """Ask the engine to end, by its socket or, if it does not answer, by a signal."""
        try:
            self.engine.stop()
        except NotRunningError:
            if self.pid is not None:
                os.kill(self.pid, signal.SIGTERM)

    def observe(self) -> tuple[bool, Snapshot | None]:
        """Return whether an engine runs, and its newest snapshot."""
        return self.pid is not None, self.newest_snapshot()


class RemoteNode(NodeClient):
    """The running engine of another machine. Without one there is nothing to be done there."""

    longest_pause = 5.0

    def __init__(self, transport: Transport) -> None:
        """Look at the engine behind *transport*."""
        self._remote = RemoteEngine(transport)

    @property
    def pid(self) -> int | None:
        """PID of the running engine; NotRunningError if none runs."""
        return self._remote.snapshot().pid

    @property
    def engine(self) -> RemoteEngine:
        """The engine, running or not."""
        return self._remote

    def set_mode(self, mode: Mode) -> bool:
        """Set the standing order; NotRunningError if no engine runs."""
        self._remote.order(mode)
        return True

    def stop(self) -> None:
        """Ask the engine to end."""
        self._remote.stop()
