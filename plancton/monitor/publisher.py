"""Turns what the engine publishes into records, and hands them to each target's outbox.

The engine's thread only leaves things here. This thread makes the records, each outbox has a
thread that sends them; none of them ever holds the engine up.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from plancton.config.schema import ElasticTarget, InfluxTarget, Monitor
from plancton.engine.api import RefusedError as NotNowError
from plancton.engine.views.snapshot import DecisionRecord, EndedPilot, SinkState, Snapshot
from plancton.monitor.delivery_queue import AwayError, DeliveryQueue, RejectedError, Target
from plancton.monitor.points import MetricPoint, end_points, node_points

_SPREAD = 30.0
"""Seconds over which the first reports of nodes that were switched on together are spread."""
_LAST = 3.0
"""Seconds that the last try may take when the engine ends."""
Settings = InfluxTarget | ElasticTarget


@dataclass(slots=True)
class _Slot:
    """A target's place in the configuration, and what sends to it."""

    settings: Settings
    delivery_queue: DeliveryQueue


class MetricsPublisher:
    """Implements ``engine.ports.Monitor``."""

    def __init__(self, node: str, instance: str, statedir: Path) -> None:
        """Report for *node* and *instance*; what is kept on disk is kept in *statedir*."""
        self.node, self.instance, self._statedir = node, instance, statedir
        self._changed = threading.Condition()
        self._wanted = Monitor()
        self._in_force: Monitor | None = None
        self._stopping = False
        self._ended = threading.Event()
        self._latest: Snapshot | None = None
        self._told = -1
        self._events: list[EndedPilot | DecisionRecord] = []
        self._slots: dict[str, _Slot] = {}
        self._numbers = itertools.count()
        self._listener = Listener(lambda: self._latest)

    # --- engine.ports.Monitor -----------------------------------------------------------

    def configure(self, monitor: Monitor) -> None:
        """Send there from now on."""
        with self._changed:
            if monitor != self._wanted:
                self._wanted = monitor
                self._changed.notify()

    def publish(self, record: Snapshot | EndedPilot | DecisionRecord) -> None:
        """Leave a record."""
        if isinstance(record, Snapshot):
            self._latest = record
            return
        with self._changed:
            if self._wanted.influxdb or self._wanted.elasticsearch:
                self._events.append(record)
                self._changed.notify()

    def status(self) -> tuple[SinkState, ...]:
        """Return how it stands with each target."""
        states = [slot.delivery_queue.state() for slot in list(self._slots.values())]
        return (*states, *self._listener.status())

    # --- the thread ---------------------------------------------------------------------

    def run(self) -> None:
        """Report each interval until stopped."""
        due = time.monotonic()
        while True:
            with self._changed:
                pause = max(0.05, due - time.monotonic())
                self._changed.wait_for(self._is_asked, pause)
                ending, monitor, events = self._stopping, self._wanted, list(self._events)
            if monitor != self._in_force:
                self._apply(monitor)
                due = time.monotonic() + self.until_first(monitor)
            due = self._report(events, due, monitor, ending=ending)
            with self._changed:
                del self._events[: len(events)]
            for slot in self._slots.values():
                if slot.delivery_queue.died:
                    raise slot.delivery_queue.died
            if ending:
                self._close()
                self._ended.set()
                return

    def end(self) -> None:
        """Have the thread end after one more try to send, and wait for that, not for long."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._ended.wait(_LAST + 1)

    def require(self, monitor: Monitor, version: str) -> None:
        """Write to each target now; RefusedError with what to do if that cannot be."""
        for settings in _settings(monitor).values():
            target = _made(settings)
            try:
                target.send(self._start(settings, version))
            except (AwayError, RejectedError) as error:
                raise NotNowError(
                    f"{target.name}: {error}; monitor.require_at_start says not to start without it"
                ) from None

    def _start(self, settings: Settings, version: str) -> list[str]:
        if isinstance(settings, InfluxTarget):
            from plancton.monitor.sinks.influxdb import lines

            tags = {"node": self.node, "instance": self.instance}
            return lines(
                [MetricPoint("plancton_start", tags, {"version": version}, time.time_ns())]
            )
        from plancton.monitor.sinks.elasticsearch import event_records

        words = {"version": version}
        start = DecisionRecord(time.time(), "starting", "", "start", words, "the engine starts")
        return event_records(self.node, self.instance, start)

    def until_first(self, monitor: Monitor) -> float:
        """Return the seconds to the first report; none if some were made already."""
        longest = min(monitor.interval, _SPREAD) if self._told < 0 else 0.0
        return random.uniform(0.0, longest)  # noqa: S311 (jitter)

    def _is_asked(self) -> bool:
        return self._stopping or bool(self._events) or self._wanted != self._in_force

    def _report(
        self,
        events: list[EndedPilot | DecisionRecord],
        due: float,
        monitor: Monitor,
        *,
        ending: bool,
    ) -> float:
        """Make records of the events, and of the node if that is due; returns when it is next."""
        now, snapshot = time.monotonic(), self._latest
        # The first report is made when there is something to tell, and not before it is due.
        ready = snapshot is not None and (snapshot.load is not None or bool(snapshot.degraded))
        timely = ready and now >= due
        fresh = snapshot if timely and snapshot and snapshot.tick != self._told else None
        for slot in self._slots.values():
            records = list(self._records(slot.settings, events, fresh, monitor.interval))
            slot.delivery_queue.put(records, flush=timely or ending)
        if not timely:
            return due if ready else max(due, now + 0.2)
        self._listener.listen(monitor.prometheus)
        first, self._told = self._told < 0, snapshot.tick if snapshot else -1
        # Nodes that were switched on together do not report together, at long intervals neither.
        part = random.uniform(0.5, 1.0) if first else 1.0  # noqa: S311
        late = due + monitor.interval * part
        return late if late > now else now + monitor.interval * part

    def _records(
        self,
        settings: Settings,
        events: list[EndedPilot | DecisionRecord],
        fresh: Snapshot | None,
        interval: float,
    ) -> Iterator[str]:
        if isinstance(settings, InfluxTarget):
            from plancton.monitor.sinks.influxdb import lines

            yield from lines(self._points(events, fresh, interval))
            return
        from plancton.monitor.sinks.elasticsearch import event_records, node_records

        for event in events:
            yield from event_records(self.node, self.instance, event)
        yield from node_records(fresh, interval) if fresh else ()

    def _points(
        self, events: list[EndedPilot | DecisionRecord], fresh: Snapshot | None, interval: float
    ) -> Iterator[MetricPoint]:
        for event in events:
            if isinstance(event, EndedPilot):
                yield from end_points(self.node, self.instance, event, next(self._numbers))
        yield from node_points(fresh, interval) if fresh else ()

    def _apply(self, monitor: Monitor) -> None:
        """Follow the configuration; what is kept for a place goes to whoever has it now."""
        wanted, slots = _settings(monitor), dict(self._slots)
        for name in set(slots) - set(wanted):
            slots.pop(name).delivery_queue.stop()
        for name, settings in wanted.items():
            keep = self._statedir / f"metrics-{self.instance}-{name}.json"
            where = keep if monitor.keep_on_disk else None
            known = slots.get(name)
            if known is None:
                slots[name] = _Slot(settings, DeliveryQueue(_made(settings), monitor.buffer, where))
                slots[name].delivery_queue.start()
                continue
            same = known.settings == settings
            target = known.delivery_queue.target if same else _made(settings)
            known.delivery_queue.turn_to(target, monitor.buffer, where)
            known.settings = settings
        self._slots, self._in_force = slots, monitor
        self._listener.listen(monitor.prometheus)

    def _close(self) -> None:
        self._listener.listen("")
        for slot in self._slots.values():
            slot.delivery_queue.stop()
        end = time.monotonic() + _LAST
        for slot in self._slots.values():
            slot.delivery_queue.join(max(0.0, end - time.monotonic()))


def _settings(monitor: Monitor) -> dict[str, Settings]:
    """Return the targets by their place in the configuration."""
    influx = {f"influxdb-{n}": each for n, each in enumerate(monitor.influxdb)}
    elastic = {f"elasticsearch-{n}": each for n, each in enumerate(monitor.elasticsearch)}
    return {**influx, **elastic}


def _made(settings: Settings) -> Target:
    # Their libraries take memory, which nodes without them shall not pay.
    if isinstance(settings, InfluxTarget):
        from plancton.monitor.sinks.influxdb import Influx

        return Influx(settings)
    from plancton.monitor.sinks.elasticsearch import Elastic

    return Elastic(settings)


class Listener:
    """Serves ``/metrics`` on TCP, by the official library's server."""

    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        """Serve what *latest* returns; it listens nowhere yet."""
        self._latest = latest
        self._state: SinkState | None = None
        self._close: Callable[[], None] = lambda: None

    def listen(self, address: str) -> None:
        """Listen at *address*, host:port, and no longer where it did; empty: nowhere."""
        name = f"Prometheus on {address}"
        if self._state and self._state.name == name and not self._state.error:
            return
        self._close()
        self._close, self._state = lambda: None, None
        if not address:
            return
        from plancton.monitor.sinks.prometheus import serve

        self._state = SinkState(name)
        try:
            self._close = serve(address, self._latest)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._state = replace(self._state, error=f"cannot listen: {why}", failures=1)

    def status(self) -> tuple[SinkState, ...]:
        """Return where it listens, or why it does not."""
        return (self._state,) if self._state and self._state.error else ()
