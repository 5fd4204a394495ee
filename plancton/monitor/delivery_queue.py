"""Records on their way to one sink: kept while it is away, sent in order, never lost unseen."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.views.snapshot import SinkState
from plancton.monitor.sink import MetricsSink, RejectedError, UnavailableError
from plancton.runtime.atomic_file import AtomicFile, read_or_set_aside

log = logging.getLogger("plancton")

MAX_BATCH = 1000
"""Records in one request."""
_FIRST_RETRY, _LONGEST_RETRY = 1.0, 120.0
"""Seconds before the next try, and the most that grows to."""
_LONGEST_RETRY_AFTER = 3600.0
_SPOOL_INTERVAL = 10.0
_LARGEST_SPOOL = 500_000_000
"""Bytes; a point takes some hundred."""
_RECORDS = TypeAdapter(list[str])


class DeliveryQueue:
    """A bounded queue and the thread that empties it.

    Each record put in is in the end sent or dropped, and counted as one of them.
    """

    def __init__(self, sink: MetricsSink, capacity: int, spool: Path | None = None) -> None:
        """Send to *sink*; keep at most *capacity* records, in the file *spool* too if given."""
        self.sink, self.capacity, self.spool = sink, capacity, spool
        self.failure: BaseException | None = None
        self._changed = threading.Condition()
        self._pending: deque[str] = deque(_load_spool(spool))
        self._in_flight = 0
        self._flush_requested = self._stopping = self._retry_at_once = False
        self._max_batch = MAX_BATCH
        self._state = SinkState(sink.name)
        self._spooled_at, self._spool_exists = 0.0, bool(self._pending)
        self._trim_to_capacity()
        self._thread = threading.Thread(target=self._thread_main, name="delivery", daemon=True)

    # --- for other threads --------------------------------------------------------------

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def enqueue(self, records: Iterable[str], *, flush: bool = False) -> None:
        """Add records; the oldest go if there are too many. *flush*: have them sent now."""
        with self._changed:
            self._pending.extend(records)
            self._trim_to_capacity()
            self._flush_requested |= flush or len(self._pending) >= self._max_batch
            if self._flush_requested:
                self._changed.notify()

    def switch_to(self, sink: MetricsSink, capacity: int, spool: Path | None) -> None:
        """Send to another target from now on, also what is kept."""
        with self._changed:
            same = sink.name == self.sink.name
            self.sink, self.capacity, self.spool = sink, capacity, spool
            self._max_batch, self._retry_at_once, self._flush_requested = MAX_BATCH, True, True
            self._state = replace(self._state, name=sink.name, failures=0, error="")
            self._state = replace(self._state, since_wall=None)
            if not same:
                self._state = replace(self._state, last_wall=None)
            self._trim_to_capacity()
            self._changed.notify()

    def stop(self) -> None:
        """Have it end after one more try."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for its end, not for ever; what is left then is on disk, or counted as lost."""
        self._thread.join(seconds)
        self._count_unsent()

    def state(self) -> SinkState:
        """Return how it stands."""
        with self._changed:
            return replace(self._state, queued=len(self._pending) + self._in_flight)

    # --- the thread ---------------------------------------------------------------------

    def _thread_main(self) -> None:
        try:
            self._run()
        except BaseException as error:  # shown by whoever started it
            self.failure = error
            raise

    def _run(self) -> None:
        retry_at: float | None = None
        """By the monotonic clock; None: it does not fail."""
        while True:
            left = None if retry_at is None else max(0.0, retry_at - time.monotonic())
            with self._changed:
                wake = self._wake_condition(failing=retry_at is not None)
                self._changed.wait_for(wake, self._longest_wait(left))
                ending, at_once = self._stopping, self._retry_at_once
            too_early = retry_at is not None and time.monotonic() < retry_at
            if too_early and not (ending or at_once):
                self._save_spool()
                continue
            with self._changed:
                self._retry_at_once = self._flush_requested = False
            if ending:  # the last try may take longer than anybody waits for it
                self._save_spool(now=True)
            wait = self._record_outcome(self._send_pending())
            retry_at = time.monotonic() + wait if wait else None
            self._save_spool(now=ending)
            if ending:
                self._count_unsent()
                return

    def _longest_wait(self, left: float | None) -> float | None:
        """Return how long to sleep at most; what is kept on disk is to be fresh."""
        return left if left is None or self.spool is None else min(left, _SPOOL_INTERVAL)

    def _wake_condition(self, *, failing: bool) -> Callable[[], bool]:
        """While it fails, only time, another target or the end make it try again."""
        return lambda: (
            self._stopping or self._retry_at_once or (self._flush_requested and not failing)
        )

    def _send_pending(self) -> UnavailableError | None:
        """Send all there is; returns why that could not be."""
        while True:
            with self._changed:
                sink = self.sink
                size = min(self._max_batch, len(self._pending))
                batch = [self._pending.popleft() for _ in range(size)]
                self._in_flight = len(batch)
            if not batch:
                return None
            error = self._send_batch(sink, batch)
            if error:
                return error

    def _send_batch(self, sink: MetricsSink, records: list[str]) -> UnavailableError | None:
        """Send a batch; what is refused is halved until those to blame are found."""
        batches = [records]
        while batches:
            batch = batches.pop(0)
            try:
                result = sink.send(batch)
            except UnavailableError as error:
                self._requeue([*batch, *(record for each in batches for record in each)])
                return error
            except RejectedError as error:
                if len(batch) > 1:
                    half = len(batch) // 2
                    self._max_batch = half if error.too_large else self._max_batch
                    batches[:0] = [batch[:half], batch[half:]]
                else:
                    self._count_sent(1, 1, str(error))
                continue
            self._count_sent(len(batch) - len(result.retry), result.refused, result.error)
            if result.retry:
                self._requeue([*result.retry, *(record for each in batches for record in each)])
                return UnavailableError(result.error)
        return None

    def _count_sent(self, count: int, refused: int, error: str) -> None:
        with self._changed:
            self._in_flight -= count
            sent = self._state.sent + count - refused
            last = time.time() if count > refused else self._state.last_wall
            self._state = replace(self._state, sent=sent, last_wall=last)
            self._count_dropped(refused)
        if refused:
            fields = {"target": self.sink.name, "points": refused, "error": error}
            log.warning("points were refused", extra={"fields": fields})

    def _requeue(self, records: list[str]) -> None:
        with self._changed:
            self._pending.extendleft(reversed(records))
            self._in_flight = 0
            self._trim_to_capacity()

    def _trim_to_capacity(self) -> None:
        self._drop_oldest(len(self._pending) + self._in_flight - self.capacity)

    def _drop_oldest(self, count: int) -> None:
        count = max(0, min(count, len(self._pending)))
        for _ in range(count):
            self._pending.popleft()
        self._count_dropped(count)

    def _count_dropped(self, count: int) -> None:
        self._state = replace(self._state, dropped=self._state.dropped + count)

    def _count_unsent(self) -> None:
        """Count what nobody will send any more; what is on disk waits for the next start."""
        with self._changed:
            left = len(self._pending) + self._in_flight
            if not left or self.spool is not None:
                return
            self._drop_oldest(len(self._pending))
        fields = {"target": self.sink.name, "points": left}
        log.warning("points were not sent", extra={"fields": fields})

    def _record_outcome(self, error: UnavailableError | None) -> float:
        """Take down how it went; returns the seconds to the next try, 0: when there is work."""
        with self._changed:
            old = self._state
            if error is None:
                self._state = replace(old, failures=0, error="", since_wall=None)
            else:
                since = old.since_wall or time.time()
                tries = old.failures + 1
                self._state = replace(old, failures=tries, error=str(error), since_wall=since)
        fields: dict[str, object] = {"target": old.name}
        if error is None:
            if old.error:
                log.info("metrics are sent again", extra={"fields": fields})
            return 0.0
        if not old.error:
            words = "metrics cannot be sent, they are kept"
            log.warning(words, extra={"fields": {**fields, "error": str(error)}})
        if error.retry_after:
            return min(error.retry_after, _LONGEST_RETRY_AFTER)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 (nodes must not try all at once)
        return jitter * backoff_delay(old.failures + 1, _FIRST_RETRY, _LONGEST_RETRY)

    def _save_spool(self, *, now: bool = False) -> None:
        """Keep on disk what is still to be sent, each ten seconds or now."""
        spool = self.spool
        if spool is None or (not now and time.monotonic() - self._spooled_at < _SPOOL_INTERVAL):
            return
        with self._changed:
            records = list(self._pending)
        self._spooled_at = time.monotonic()
        if records:
            AtomicFile(spool, "cannot keep metrics on disk").write(_RECORDS.dump_json(records))
        elif self._spool_exists:
            with suppress(OSError):  # it is replaced when there is something to keep again
                spool.unlink(missing_ok=True)
        self._spool_exists = bool(records)


def _load_spool(path: Path | None) -> list[str]:
    if path is None:
        return []
    lost = "metrics kept on disk are lost"
    return read_or_set_aside(path, _LARGEST_SPOOL, _RECORDS.validate_json, lost) or []
