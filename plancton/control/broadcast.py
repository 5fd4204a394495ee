"""Hands snapshots and log records to any number of readers. Nobody waits for a slow one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator

from plancton.engine.api import Item, LogRecord, Lost
from plancton.engine.views.snapshot import Snapshot

_MAX_RECORDS = 1000
_KEEPALIVE = 15.0


class StreamSubscriber(Iterator[Item]):
    """One reader's share: the newest snapshot it has not seen, and the records since."""

    def __init__(self, keepalive: float, forget: Callable[[StreamSubscriber], None]) -> None:
        """Start with nothing; say so each *keepalive* seconds in which nothing happens.

        Once it is closed, it calls *forget*.
        """
        self._keepalive, self._forget = keepalive, forget
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._records: deque[LogRecord] = deque()
        self._lost, self._closed = 0, False
        self._batch: deque[Item] = deque()

    def put(self, item: Snapshot | LogRecord) -> None:
        """Take an item; never blocks for long."""
        with self._changed:
            if isinstance(item, Snapshot):
                self._snapshot = item
            else:
                self._records.append(item)
                if len(self._records) > _MAX_RECORDS:
                    self._records.popleft()
                    self._lost += 1
            self._changed.notify()

    def close(self) -> None:
        """Let the reader, which may be waiting in another thread, end after what it has."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._forget(self)

    def __next__(self) -> Item:
        if not self._batch:
            with self._changed:
                if not self._has_items() and not self._closed:
                    self._changed.wait(self._keepalive)
                self._batch.extend(self._take_all())
                if not self._batch and self._closed:
                    raise StopIteration
        return self._batch.popleft() if self._batch else None

    def _has_items(self) -> bool:
        return bool(self._snapshot or self._records or self._lost)

    def _take_all(self) -> list[Item]:
        batch: list[Item] = [Lost(self._lost)] if self._lost else []
        batch += self._records
        batch += [self._snapshot] if self._snapshot else []
        self._snapshot, self._lost = None, 0
        self._records.clear()
        return batch


class Broadcaster(logging.Handler):
    """A subscriber of the engine and a handler of the log, for all readers."""

    def __init__(self, keepalive: float = _KEEPALIVE) -> None:
        """Start without readers."""
        super().__init__()
        self._keepalive = keepalive
        self._subscribers: set[StreamSubscriber] = set()
        self._latest: Snapshot | None = None
        self._mutex = threading.Lock()

    def __call__(self, snapshot: Snapshot) -> None:
        """Pass a snapshot on."""
        with self._mutex:
            self._latest = snapshot
            for subscriber in self._subscribers:
                subscriber.put(snapshot)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a log record on."""
        fields = {key: str(value) for key, value in getattr(record, "fields", {}).items()}
        item = LogRecord(record.created, record.levelname, record.getMessage(), fields)
        with self._mutex:
            for subscriber in self._subscribers:
                subscriber.put(item)

    def close_streams(self) -> None:
        """End all streams."""
        with self._mutex:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.close()

    def stream(self) -> StreamSubscriber:
        """Return what yields the newest snapshot, then what follows, until it is closed."""
        subscriber = StreamSubscriber(self._keepalive, self._forget)
        with self._mutex:
            self._subscribers.add(subscriber)
            if self._latest is not None:
                subscriber.put(self._latest)
        return subscriber

    def _forget(self, subscriber: StreamSubscriber) -> None:
        with self._mutex:
            self._subscribers.discard(subscriber)
