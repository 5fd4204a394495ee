"""The handle of an engine in another process: its snapshot file, markers and signals.

A control socket can take this module's place; everything else holds a ``Handle``.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plancton.engine.handle import NotRunningError
from plancton.engine.memory import Memory
from plancton.engine.model import Mode
from plancton.engine.snapshot import Snapshot
from plancton.service.lock import holder
from plancton.service.orders import MarkerFiles
from plancton.service.paths import Paths

log = logging.getLogger("plancton")
_ADAPTER: TypeAdapter[Snapshot] = TypeAdapter(Snapshot)
_MEMORY: TypeAdapter[Memory] = TypeAdapter(Memory)


class _WholeFile:
    """Is replaced whole or not at all; a failure (a full disk) is logged once."""

    def __init__(self, path: Path, what: str) -> None:
        """Write to *path*; *what* says what is lost if that fails."""
        self.path, self.what, self._failed = path, what, False

    def write(self, content: bytes) -> None:
        """Replace the content."""
        new = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # It may hold pilots' last log lines, which are not for everybody.
            with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o640)) as file:
                file.write(content)
            new.replace(self.path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                fields = {"file": self.path, "error": error.strerror}
                log.warning(self.what, extra={"fields": fields})
            self._failed = True


class SnapshotFile:
    """Writes each snapshot."""

    def __init__(self, path: Path) -> None:
        """Write to *path*."""
        self._file = _WholeFile(path, "cannot write the snapshot, status is old")

    def __call__(self, snapshot: Snapshot) -> None:
        """Replace the file by *snapshot*."""
        self._file.write(_ADAPTER.dump_json(snapshot))


class MemoryFile:
    """Implements ``ports.Keeper`` on one file."""

    def __init__(self, path: Path) -> None:
        """Keep it at *path*."""
        self.path = path
        self._file = _WholeFile(path, "cannot keep the history and the ledger")

    def load(self) -> Memory:
        """Return what was saved last. An unreadable file is set aside, not overwritten."""
        try:
            return _MEMORY.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Memory()
        except (OSError, ValidationError) as error:
            aside = self.path.with_suffix(".unreadable")
            with suppress(OSError):
                self.path.replace(aside)
            why = getattr(error, "strerror", None) or "it is no state of this version"
            fields = {"file": self.path, "error": why, "set_aside_as": aside}
            log.warning("history and ledger begin anew", extra={"fields": fields})
            return Memory()

    def peek(self) -> Memory:
        """Return what was saved last, changing nothing."""
        try:
            return _MEMORY.validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return Memory()

    def save(self, memory: Memory) -> None:
        """Replace the file by *memory*."""
        self._file.write(_MEMORY.dump_json(memory))


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
