"""Turns what the engine publishes into records, and hands them to each sink's delivery queue.

The engine's thread only leaves things here. This thread makes the records, each queue has a
thread that sends them; none of them ever holds the engine up.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plancton.config.schema import ElasticTarget, InfluxTarget, Monitor
from plancton.engine.api import RefusedError
from plancton.engine.views.snapshot import DecisionRecord, EndedPilot, SinkState, Snapshot
from plancton.monitor.delivery_queue import DeliveryQueue
from plancton.monitor.points import MetricPoint, end_points, node_points
from plancton.monitor.prometheus_endpoint import PrometheusEndpoint
from plancton.monitor.sink import MetricsSink, RejectedError, UnavailableError

_SPREAD = 30.0
"""Seconds over which the first reports of nodes that were switched on together are spread."""
_LAST_TRY = 3.0
"""Seconds that the last try may take when the engine ends."""
TargetSettings = InfluxTarget | ElasticTarget


@dataclass(slots=True)
class _ConfiguredSink:
    """A target's place in the configuration, and what sends to it."""

    settings: TargetSettings
    queue: DeliveryQueue


class MetricsPublisher:
    """Implements ``engine.ports.Monitor``."""

    def __init__(self, node: str, instance: str, statedir: Path) -> None:
        """Report for *node* and *instance*; what is kept on disk is kept in *statedir*."""
        self.node, self.instance, self._statedir = node, instance, statedir
        self._changed = threading.Condition()
        self._monitor = Monitor()
        self._applied_monitor: Monitor | None = None
        self._is_stopping = False
        self._stopped = threading.Event()
        self._latest: Snapshot | None = None
        self._last_tick = -1
        self._events: list[EndedPilot | DecisionRecord] = []
        self._sinks: dict[str, _ConfiguredSink] = {}
        self._end_numbers = itertools.count()
        self._prometheus = PrometheusEndpoint(lambda: self._latest)

    # --- engine.ports.Monitor -----------------------------------------------------------

    def configure(self, monitor: Monitor) -> None:
        """Send there from now on."""
        with self._changed:
            if monitor != self._monitor:
                self._monitor = monitor
                self._changed.notify()

    def publish(self, record: Snapshot | EndedPilot | DecisionRecord) -> None:
        """Leave a record."""
        if isinstance(record, Snapshot):
            self._latest = record
            return
        with self._changed:
            if self._monitor.influxdb or self._monitor.elasticsearch:
                self._events.append(record)
                self._changed.notify()

    def status(self) -> tuple[SinkState, ...]:
        """Return how it stands with each target."""
        states = [sink.queue.state() for sink in list(self._sinks.values())]
        return (*states, *self._prometheus.status())

    # --- the thread ---------------------------------------------------------------------

    def run(self) -> None:
        """Report each interval until stopped."""
        due = time.monotonic()
        while True:
            with self._changed:
                pause = max(0.05, due - time.monotonic())
                self._changed.wait_for(self._has_work, pause)
                ending, monitor, events = self._is_stopping, self._monitor, list(self._events)
            if monitor != self._applied_monitor:
                self._apply(monitor)
                due = time.monotonic() + self.first_report_delay(monitor)
            due = self._report(events, due, monitor, ending=ending)
            with self._changed:
                del self._events[: len(events)]
            for sink in self._sinks.values():
                if sink.queue.failure:
                    raise sink.queue.failure
            if ending:
                self._stop_sinks()
                self._stopped.set()
                return

    def stop(self) -> None:
        """Have the thread end after one more try to send, and wait for that, not for long."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._stopped.wait(_LAST_TRY + 1)

    def write_start_event(self, monitor: Monitor, version: str) -> None:
        """Write to each target now; RefusedError with what to do if that cannot be."""
        for settings in _targets_by_name(monitor).values():
            sink = _sink_for(settings)
            try:
                sink.send(self._start_records(settings, version))
            except (UnavailableError, RejectedError) as error:
                raise RefusedError(
                    f"{sink.name}: {error}; monitor.require_at_start says not to start without it"
                ) from None

    def _start_records(self, settings: TargetSettings, version: str) -> list[str]:
        if isinstance(settings, InfluxTarget):
            from plancton.monitor.sinks.influxdb import line_protocol

            tags = {"node": self.node, "instance": self.instance}
            return line_protocol(
                [MetricPoint("plancton_start", tags, {"version": version}, time.time_ns())]
            )
        from plancton.monitor.sinks.elasticsearch import event_records

        words = {"version": version}
        start = DecisionRecord(time.time(), "starting", "", "start", words, "the engine starts")
        return event_records(self.node, self.instance, start)

    def first_report_delay(self, monitor: Monitor) -> float:
        """Return the seconds to the first report; none if some were made already."""
        longest = min(monitor.interval, _SPREAD) if self._last_tick < 0 else 0.0
        return random.uniform(0.0, longest)  # noqa: S311 (jitter)

    def _has_work(self) -> bool:
        return self._is_stopping or bool(self._events) or self._monitor != self._applied_monitor

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
        is_due = ready and now >= due
        new = snapshot if is_due and snapshot and snapshot.tick != self._last_tick else None
        for sink in self._sinks.values():
            records = list(self._records(sink.settings, events, new, monitor.interval))
            sink.queue.enqueue(records, flush=is_due or ending)
        if not is_due:
            return due if ready else max(due, now + 0.2)
        self._prometheus.listen(monitor.prometheus)
        first, self._last_tick = self._last_tick < 0, snapshot.tick if snapshot else -1
        # Nodes that were switched on together do not report together, at long intervals neither.
        interval = monitor.interval * (random.uniform(0.5, 1.0) if first else 1.0)  # noqa: S311
        return due + interval if due + interval > now else now + interval

    def _records(
        self,
        settings: TargetSettings,
        events: list[EndedPilot | DecisionRecord],
        new: Snapshot | None,
        interval: float,
    ) -> Iterator[str]:
        if isinstance(settings, InfluxTarget):
            from plancton.monitor.sinks.influxdb import line_protocol

            yield from line_protocol(self._points(events, new, interval))
            return
        from plancton.monitor.sinks.elasticsearch import event_records, node_records

        for event in events:
            yield from event_records(self.node, self.instance, event)
        yield from node_records(new, interval) if new else ()

    def _points(
        self,
        events: list[EndedPilot | DecisionRecord],
        new: Snapshot | None,
        interval: float,
    ) -> Iterator[MetricPoint]:
        for event in events:
            if isinstance(event, EndedPilot):
                yield from end_points(self.node, self.instance, event, next(self._end_numbers))
        yield from node_points(new, interval) if new else ()

    def _apply(self, monitor: Monitor) -> None:
        """Follow the configuration; what is kept for a place in it goes to the target there now."""
        targets, sinks = _targets_by_name(monitor), dict(self._sinks)
        for name in set(sinks) - set(targets):
            sinks.pop(name).queue.stop()
        for name, settings in targets.items():
            file = self._statedir / f"metrics-{self.instance}-{name}.json"
            spool = file if monitor.keep_on_disk else None
            known = sinks.get(name)
            if known is None:
                queue = DeliveryQueue(_sink_for(settings), monitor.buffer, spool)
                sinks[name] = _ConfiguredSink(settings, queue)
                queue.start()
                continue
            same = known.settings == settings
            sink = known.queue.sink if same else _sink_for(settings)
            known.queue.switch_to(sink, monitor.buffer, spool)
            known.settings = settings
        self._sinks, self._applied_monitor = sinks, monitor
        self._prometheus.listen(monitor.prometheus)

    def _stop_sinks(self) -> None:
        self._prometheus.listen("")
        for sink in self._sinks.values():
            sink.queue.stop()
        deadline = time.monotonic() + _LAST_TRY
        for sink in self._sinks.values():
            sink.queue.join(max(0.0, deadline - time.monotonic()))


def _targets_by_name(monitor: Monitor) -> dict[str, TargetSettings]:
    """Return the targets by their place in the configuration."""
    influx = {f"influxdb-{n}": each for n, each in enumerate(monitor.influxdb)}
    elastic = {f"elasticsearch-{n}": each for n, each in enumerate(monitor.elasticsearch)}
    return {**influx, **elastic}


def _sink_for(settings: TargetSettings) -> MetricsSink:
    # Their libraries take memory, which nodes without them shall not pay.
    if isinstance(settings, InfluxTarget):
        from plancton.monitor.sinks.influxdb import InfluxSink

        return InfluxSink(settings)
    from plancton.monitor.sinks.elasticsearch import ElasticsearchSink

    return ElasticsearchSink(settings)
