"""The thread between an engine and its screen: it listens, and comes back when it is cut off."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from plancton.engine.api import EngineApi, LogRecord, Lost, NotRunningError, RefusedError
from plancton.engine.views.snapshot import Snapshot

FAILURES = (NotRunningError, RefusedError, OSError, ValidationError)
"""What asking an engine may raise."""
_KEPT = 1000
_FIRST, _LONGEST = 0.5, 5.0


@dataclass(slots=True)
class StreamBatch:
    """What was heard since the last time it was taken."""

    snapshot: Snapshot | None = None
    records: list[LogRecord] = field(default_factory=list)
    lost_records: int = 0
    lost: str | None = None
    """Why the connection is gone; empty: it is there (again); None: as before."""


class StreamReader:
    """Reads the stream of an engine. What a slow screen does not take in time is merged."""

    def __init__(self, handle: EngineApi, tell: Callable[[], None]) -> None:
        """Listen to *handle*; *tell* says once that there is something to ``take``."""
        self.handle, self._tell = handle, tell
        self.over = threading.Event()
        self._mutex = threading.Lock()
        self._heard, self._told = StreamBatch(), False
        self._records: deque[LogRecord] = deque(maxlen=_KEPT)

    def start(self) -> None:
        """Listen on a thread of its own, until ``over`` is set."""
        threading.Thread(target=self._run, name="link", daemon=True).start()

    def take(self) -> StreamBatch:
        """Return what was heard since the last time."""
        with self._mutex:
            heard, self._heard, self._told = self._heard, StreamBatch(), False
            heard.records = list(self._records)
            self._records.clear()
            return heard

    def _run(self) -> None:
        pause = _FIRST
        while not self.over.is_set():
            why = "the engine ended"
            try:
                for item in self.handle.stream():
                    if self.over.is_set():
                        return
                    pause = _FIRST
                    self._note(item)
            except FAILURES as error:
                why = _words(error)
            self._cut(why)
            self.over.wait(pause)
            pause = min(_LONGEST, 2 * pause)

    def _note(self, item: Snapshot | LogRecord | Lost | None) -> None:
        if item is None:
            return
        with self._mutex:
            match item:
                case Snapshot():
                    self._heard.snapshot, self._heard.lost = item, ""
                case LogRecord():
                    self._records.append(item)
                case Lost(records=records):
                    self._heard.lost_records += records
        self._notify()

    def _cut(self, why: str) -> None:
        with self._mutex:
            self._heard.lost = why or "the engine does not answer"
        self._notify()

    def _notify(self) -> None:
        with self._mutex:
            told, self._told = self._told, True
        if not told and not self.over.is_set():
            self._tell()


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "the engine is of another version than this screen"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).split("\n")[0]
