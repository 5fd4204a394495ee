"""The handle of an engine in another process: its snapshot file, markers and signals.

A control socket can take this module's place; everything else holds a ``Handle``.
"""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plancton.engine.handle import NotRunningError
from plancton.engine.model import Mode, Snapshot
from plancton.service.lock import holder
from plancton.service.orders import MarkerFiles
from plancton.service.paths import Paths

log = logging.getLogger("plancton")
_ADAPTER: TypeAdapter[Snapshot] = TypeAdapter(Snapshot)


class SnapshotFile:
    """Writes each snapshot, whole or not at all; a full disk is logged once."""

    def __init__(self, path: Path) -> None:
        """Write to *path*."""
        self.path, self._failed = path, False

    def __call__(self, snapshot: Snapshot) -> None:
        """Replace the file by *snapshot*."""
        new = self.path.with_suffix(".new")
        try:
            # It holds pilots' last log lines, which are not for everybody.
            with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o640)) as file:
                file.write(_ADAPTER.dump_json(snapshot))
            new.replace(self.path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                fields = {"file": self.path, "error": error.strerror}
                log.warning("cannot write the snapshot, status is old", extra={"fields": fields})
            self._failed = True


class FileHandle:
    """Implements ``Handle`` on the run directory of an engine."""

    def __init__(self, paths: Paths) -> None:
        """Hold the engine that uses these *paths*."""
        self.paths, self.orders = paths, MarkerFiles(paths.rundir)

    @property
    def pid(self) -> int | None:
        """PID of the running engine."""
        return holder(self.paths.lock)

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot; NotRunningError if no engine runs or it has none yet."""
        pid = self._running()
        try:
            snapshot = _ADAPTER.validate_json(self.paths.snapshot.read_bytes())
        except (FileNotFoundError, ValidationError):
            snapshot = None
        if snapshot is None or snapshot.pid != pid:
            raise NotRunningError(f"the engine (process {pid}) has only just started; try again")
        return snapshot

    def order(self, mode: Mode) -> None:
        """Set the standing order and wake the engine if it runs."""
        self.orders.order(mode)
        if self.pid:
            self._signal(signal.SIGUSR1)

    def reload(self) -> None:
        """Send SIGHUP."""
        self._signal(signal.SIGHUP)

    def _running(self) -> int:
        pid = self.pid
        if pid is None:
            raise NotRunningError(
                f"no engine runs here ({self.paths.lock} is not locked); start one: plancton serve"
            )
        return pid

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self._running(), number)
