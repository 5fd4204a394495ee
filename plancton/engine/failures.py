"""Ticks that fail in a row."""

from __future__ import annotations

import logging

from plancton.engine.event_recorder import EventRecorder
from plancton.engine.ports import Clock
from plancton.engine.schedule import retry_after
from plancton.engine.snapshot_builder import SnapshotBuilder


class Failures:
    """Says the first failure and the recovery, and when the next try is due."""

    def __init__(self, clock: Clock, recorder: EventRecorder, builder: SnapshotBuilder) -> None:
        """Start with none; *builder* shows how many errors there were in all."""
        self._clock, self._recorder, self._builder = clock, recorder, builder
        self._count, self._retry_at, self._recovered = 0, 0.0, ""

    def add(self, what: str, error: str, recovered: str) -> float:
        """Count a failed tick; returns the seconds until the next try.

        One that comes before that, because something woke the engine, changes nothing.
        *recovered* says that it is over.
        """
        self._builder.errors += 1
        if not self._count:
            self._recorder.event(self._clock.wall(), what, logging.ERROR, error=error)
        now, self._recovered = self._clock.now(), recovered
        if not self._count or now >= self._retry_at:
            self._count += 1
            self._retry_at = now + retry_after(self._count)
        return self._retry_at - now

    def end(self) -> None:
        """Say that it is over, if there were any."""
        if self._count:
            self._recorder.event(self._clock.wall(), self._recovered, failed_tries=self._count)
        self._count = 0
