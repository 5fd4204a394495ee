"""Records on their way to one target: kept while it is away, sent in order, never lost unseen."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.views.snapshot import SinkState
from plancton.runtime.atomic_file import WholeFile

log = logging.getLogger("plancton")

MOST = 1000
"""Records in one request."""
_FIRST, _LONGEST = 1.0, 120.0
"""Seconds before the next try, and the most that grows to."""
_LONGEST_ASKED = 3600.0
_SAVE_EVERY = 10.0
_RECORDS = TypeAdapter(list[str])


class AwayError(Exception):
    """The target takes nothing now, and may later. Says why."""

    def __init__(self, text: str, after: float = 0.0) -> None:
        """*after*: seconds the target asks to be let alone."""
        super().__init__(text)
        self.after = after


class RejectedError(Exception):
    """The target will never take these records as they are. Says why."""

    def __init__(self, text: str, *, too_large: bool = False) -> None:
        """*too_large*: together they are more than it takes at once."""
        super().__init__(text)
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of records that were sent; the rest of them was stored."""

    refused: int = 0
    again: tuple[str, ...] = ()
    """To be sent once more, later."""
    why: str = ""


class Target(Protocol):
    """Where records go. Used by one thread at a time."""

    name: str
    """Without credentials."""

    def send(self, records: list[str]) -> Taken:
        """Store them. Sending the same record twice stores it once.

        Raises AwayError, RefusedError.
        """


class DeliveryQueue:
    """A bounded queue and the thread that empties it.

    Each record put in is in the end sent or dropped, and counted as one of them.
    """

    def __init__(self, target: Target, limit: int, keep: Path | None = None) -> None:
        """Send to *target*; keep at most *limit* records, in the file *keep* too if given."""
        self.target, self.limit, self.keep = target, limit, keep
        self.died: BaseException | None = None
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque(_kept(keep))
        self._flying = 0
        self._due = self._stopping = self._hurry = False
        self._most = MOST
        self._state = SinkState(target.name)
        self._saved_at, self._on_disk = 0.0, bool(self._waiting)
        self._trim()
        self._thread = threading.Thread(target=self._body, name="outbox", daemon=True)

    # --- other threads call these -------------------------------------------------------

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, records: Iterable[str], *, flush: bool = False) -> None:
        """Add records; the oldest go if there are too many. *flush*: have them sent now."""
        with self._changed:
            self._waiting.extend(records)
            self._trim()
            self._due |= flush or len(self._waiting) >= self._most
            if self._due:
                self._changed.notify()

    def turn_to(self, target: Target, limit: int, keep: Path | None) -> None:
        """Send to another target from now on, also what is kept."""
        with self._changed:
            same = target.name == self.target.name
            self.target, self.limit, self.keep = target, limit, keep
            self._most, self._hurry, self._due = MOST, True, True
            self._state = replace(self._state, name=target.name, failures=0, error="")
            self._state = replace(self._state, since_wall=None)
            if not same:
                self._state = replace(self._state, last_wall=None)
            self._trim()
            self._changed.notify()

    def stop(self) -> None:
        """Have it end after one more try."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for its end, not for ever; what is left then is on disk, or counted as lost."""
        self._thread.join(seconds)
        self._give_up()

    def state(self) -> SinkState:
        """Return how it stands."""
        with self._changed:
            return replace(self._state, queued=len(self._waiting) + self._flying)

    # --- the thread ---------------------------------------------------------------------

    def _body(self) -> None:
        try:
            self._run()
        except BaseException as error:  # shown by whoever started it
            self.died = error
            raise

    def _run(self) -> None:
        again: float | None = None
        """When to try again by the monotonic clock; None: it does not fail."""
        while True:
            left = None if again is None else max(0.0, again - time.monotonic())
            with self._changed:
                self._changed.wait_for(self._ready(again is not None), self._nap(left))
                ending, hurried = self._stopping, self._hurry
            if not (ending or hurried) and again is not None and time.monotonic() < again:
                self._save()
                continue
            with self._changed:
                self._hurry = self._due = False
            if ending:  # the last try may take longer than anybody waits for it
                self._save(now=True)
            wait = self._note(self._empty())
            again = time.monotonic() + wait if wait else None
            self._save(now=ending)
            if ending:
                self._give_up()
                return

    def _nap(self, left: float | None) -> float | None:
        """Return how long to sleep at most; what is kept on disk is to be fresh."""
        return left if left is None or self.keep is None else min(left, _SAVE_EVERY)

    def _ready(self, failing: bool) -> Callable[[], bool]:
        """While it fails, only time, another target or the end make it try again."""
        return lambda: self._stopping or self._hurry or (self._due and not failing)

    def _empty(self) -> AwayError | None:
        """Send all there is; returns why that could not be."""
        while True:
            with self._changed:
                target = self.target
                batch = [self._waiting.popleft() for _ in range(self._batch())]
                self._flying = len(batch)
            if not batch:
                return None
            error = self._deliver(target, batch)
            if error:
                return error

    def _batch(self) -> int:
        return min(self._most, len(self._waiting))

    def _deliver(self, target: Target, batch: list[str]) -> AwayError | None:
        """Send a batch; what is refused is halved until those to blame are found."""
        parts = [batch]
        while parts:
            part = parts.pop(0)
            try:
                taken = target.send(part)
            except AwayError as error:
                self._put_back([*part, *(record for each in parts for record in each)])
                return error
            except RejectedError as error:
                if len(part) > 1:
                    half = len(part) // 2
                    self._most = half if error.too_large else self._most
                    parts[:0] = [part[:half], part[half:]]
                else:
                    self._took(1, 1, str(error))
                continue
            self._took(len(part) - len(taken.again), taken.refused, taken.why)
            if taken.again:
                self._put_back([*taken.again, *(record for each in parts for record in each)])
                return AwayError(taken.why)
        return None

    def _took(self, count: int, refused: int, why: str) -> None:
        with self._changed:
            self._flying -= count
            sent = self._state.sent + count - refused
            last = time.time() if count > refused else self._state.last_wall
            self._state = replace(self._state, sent=sent, last_wall=last)
            self._drop(refused, gone=True)
        if refused:
            fields = {"target": self.target.name, "points": refused, "error": why}
            log.warning("points were refused", extra={"fields": fields})

    def _put_back(self, records: list[str]) -> None:
        with self._changed:
            self._waiting.extendleft(reversed(records))
            self._flying = 0
            self._trim()

    def _trim(self) -> None:
        self._drop(len(self._waiting) + self._flying - self.limit)

    def _drop(self, count: int, *, gone: bool = False) -> None:
        count = count if gone else max(0, min(count, len(self._waiting)))
        for _ in range(0 if gone else count):
            self._waiting.popleft()
        self._state = replace(self._state, dropped=self._state.dropped + count)

    def _give_up(self) -> None:
        """Count what nobody will send any more; what is on disk waits for the next start."""
        with self._changed:
            left = len(self._waiting) + self._flying
            if not left or self.keep is not None:
                return
            self._drop(len(self._waiting))
        fields = {"target": self.target.name, "points": left}
        log.warning("points were not sent", extra={"fields": fields})

    def _note(self, error: AwayError | None) -> float:
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
        if error.after:
            return min(error.after, _LONGEST_ASKED)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 (nodes must not try all at once)
        return jitter * backoff_delay(old.failures + 1, _FIRST, _LONGEST)

    def _save(self, *, now: bool = False) -> None:
        """Keep on disk what is still to be sent, each ten seconds or now."""
        keep = self.keep
        if keep is None or (not now and time.monotonic() - self._saved_at < _SAVE_EVERY):
            return
        with self._changed:
            records = list(self._waiting)
        self._saved_at = time.monotonic()
        if records:
            WholeFile(keep, "cannot keep metrics on disk").write(_RECORDS.dump_json(records))
        elif self._on_disk:
            keep.unlink(missing_ok=True)
        self._on_disk = bool(records)


def _kept(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return _RECORDS.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return []
