"""The thread that reads an engine's stream, and connects again when it is cut off."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from plancton.engine.api import EngineApi, LogRecord, Lost, NotRunningError, RefusedError
from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.views.snapshot import Snapshot
from plancton.engine.views.text import printable, printable_values

ENGINE_ERRORS = (NotRunningError, RefusedError, OSError, ValidationError)
"""What asking an engine may raise."""
_KEPT_RECORDS = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two attempts to connect."""


@dataclass(slots=True)
class StreamBatch:
    """What was read since the last batch was taken."""

    snapshot: Snapshot | None = None
    records: list[LogRecord] = field(default_factory=list)
    skipped_records: int = 0
    connection_lost: str | None = None
    """Why the connection is gone; empty: it is there (again); None: as before."""


class StreamReader:
    """Reads the stream of an engine. What a slow screen does not take in time is merged."""

    def __init__(self, engine: EngineApi, notify: Callable[[], object]) -> None:
        """Read from *engine*; *notify* is called once when there is a batch to take."""
        self.engine, self._notify = engine, notify
        self._stopped = threading.Event()
        self._mutex = threading.Lock()
        self._batch, self._notified = StreamBatch(), False
        self._records: deque[LogRecord] = deque(maxlen=_KEPT_RECORDS)

    def start(self) -> None:
        """Read on a thread of its own, until it is stopped."""
        threading.Thread(target=self._run, name="stream-reader", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()

    def take_batch(self) -> StreamBatch:
        """Return what was read since the last time."""
        with self._mutex:
            batch, self._batch, self._notified = self._batch, StreamBatch(), False
            batch.records = list(self._records)
            self._records.clear()
            return batch

    def _run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            why = "the engine ended"
            try:
                for item in self.engine.stream():
                    if self._stopped.is_set():
                        return
                    failures = 0
                    self._add(item)
            except ENGINE_ERRORS as error:
                why = _reason(error)
            self._disconnected(why)
            failures += 1
            self._stopped.wait(backoff_delay(failures, _FIRST_PAUSE, _LONGEST_PAUSE))

    def _add(self, item: Snapshot | LogRecord | Lost | None) -> None:
        if item is None:
            return
        with self._mutex:
            match item:
                case Snapshot():
                    self._batch.snapshot = printable_values(item)
                    self._batch.connection_lost = ""
                case LogRecord():
                    self._records.append(item)
                case Lost(records=records):
                    self._batch.skipped_records += records
        self._notify_once()

    def _disconnected(self, why: str) -> None:
        with self._mutex:
            self._batch.connection_lost = printable(why) or "the engine does not answer"
        self._notify_once()

    def _notify_once(self) -> None:
        with self._mutex:
            notified, self._notified = self._notified, True
        if not notified and not self._stopped.is_set():
            self._notify()


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "the engine is of another version than this screen"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split("\n")[0]
