"""A snapshot as metrics of Prometheus, by its conventions: base units, ``_total`` for counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import product

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder

from plancton.engine.model.operator import Mode
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.points import STATES, disk_used

Values = Iterable[tuple[str, float]]
Latest = Callable[[], Snapshot | None]


def exposition(snapshot: Snapshot, accept: str = "") -> tuple[bytes, str]:
    """Return the metrics, and their media type: what *accept* asks for, OpenMetrics or text."""
    encode, media = choose_encoder(accept)
    return encode(_registry(lambda: snapshot)), media


def _registry(latest: Latest) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(latest))
    return registry


class _Collector:
    """Implements the client library's collector on the newest snapshot."""

    def __init__(self, latest: Latest) -> None:
        self._latest = latest

    def collect(self) -> Iterator[Metric]:
        snapshot = self._latest()
        for part in (_node, _pilots, _host, _objectives, _ledger, _engine):
            yield from part(snapshot) if snapshot else ()


def _node(s: Snapshot) -> Iterator[Metric]:
    about = {"version": s.version, "node": s.node, "instance": s.instance}
    about["protection"] = s.protection.value
    yield InfoMetricFamily("plancton", "The engine and its node.", about)
    modes = {mode.value: mode is s.mode for mode in Mode}
    yield StateSetMetricFamily("plancton_mode", "What the operator wants of the node.", modes)
    yield _gauge("docker_up", "Whether Docker can be asked.", not s.degraded)
    yield _gauge("start_time_seconds", "When the engine started, since 1970.", s.started_wall)
    yield _gauge("last_tick_timestamp_seconds", "When it looked last, since 1970.", s.wall)
    yield _counter("ticks", "Looks at the node.", s.tick)
    yield _counter("docker_requests", "Requests to Docker by the engine.", s.requests)
    yield _gauge("config_revision", "Which configuration is in force.", s.config_revision)
    yield _gauge("config_good", "Whether the newest file is in force.", not s.config_error)
    why = Counter(finding.code for finding in s.findings)
    yield _gauges("held", "Why nothing more is started now.", "reason", why.items())


def _pilots(s: Snapshot) -> Iterator[Metric]:
    pilots = GaugeMetricFamily(
        "plancton_pilots", "Containers, by profile and state.", labels=["profile", "state"]
    )
    counts = Counter((p.profile, p.state) for p in s.pilots)
    for key in product(s.profiles, STATES):  # none is 0, not absent
        pilots.add_metric(key, counts[key])
    yield pilots
    written = ((profile, disk_used(s, profile)) for profile in s.profiles)
    words = "Written to disk by the pilots that are there."
    yield _gauges("pilots_disk_bytes", words, "profile", written)
    yield _gauge("pilots_maximum", "Most pilots at a time.", s.maximum)


def _host(s: Snapshot) -> Iterator[Metric]:
    load, host = s.load, s.host
    if load is not None:
        use = {"foreground": load.foreground, "pilots": load.own, "idle": load.idle}
        yield _gauges("cpu_cores", "Cores used, and left.", "use", use.items())
    yield _gauge("cpu_committed_cores", "Cores promised to pilots.", s.committed)
    text = "How many times the free cores may be promised to pilots."
    yield _gauge("cpu_overcommit_ratio", text, s.overcommit)
    if s.ceiling is not None:
        yield _gauge("cpu_ceiling_cores", "Cores that all may take together.", s.ceiling)
    if host is None:
        return
    yield _gauge("memory_bytes", "Memory of the node.", host.memory_total)
    yield _gauge("memory_available_bytes", "Memory available.", host.memory_available)
    swapped = sum(pilot.swapped for pilot in s.pilots)
    yield _gauge("swapped_bytes", "Memory of frozen pilots that lies in swap.", swapped)
    yield _gauge("disk_free_bytes", "Free where Docker keeps its data.", host.disk_free)
    if host.inodes_total:
        yield _gauge("disk_free_inodes", "Free where Docker keeps its data.", host.inodes_free)
    yield _gauge("load1", "Load average over a minute.", host.load1)
    if host.waited_seconds is not None:
        words = "What tasks of the foreground waited for a core since the engine's start."
        yield _counter("foreground_waited_seconds", words, host.waited_seconds)
    stalled = ((name, each.seconds) for name, each in host.stalled.items())
    words = "Seconds since boot in which some task waited."
    yield _counters("stalled_seconds", words, "resource", stalled)


def _objectives(s: Snapshot) -> Iterator[Metric]:
    known = [(each.name, each.value) for each in s.objectives if each.value is not None]
    yield _gauges("objective_value", "The owner's figures, while known.", "objective", known)
    limits = ((each.name, each.limit) for each in s.objectives)
    yield _gauges("objective_limit", "Above it pilots give way.", "objective", limits)
    read = ((each.name, each.value is not None) for each in s.objectives)
    yield _gauges("objective_known", "Whether a figure is known.", "objective", read)


def _ledger(s: Snapshot) -> Iterator[Metric]:
    total = s.ledger.total
    yield _counter("observed_seconds", "Time observed.", total.seconds)
    yield _counter("harvested_core_seconds", "CPU time used by pilots.", total.harvested)
    words = "CPU time that nobody used, by why pilots did not."
    yield _counters("missed_core_seconds", words, "reason", total.missed.items())
    yield _counter("lost_core_seconds", "CPU time of evicted pilots.", total.lost)
    waited = {"beside": total.waited, "without": total.waited_alone}
    words = "What tasks of the foreground waited for a core, beside pilots and without."
    yield _counters("waited_seconds", words, "pilots", waited.items())
    used = {"beside": total.foreground, "without": total.foreground_alone}
    words = "CPU time of the foreground while its waiting was known."
    yield _counters("waited_foreground_core_seconds", words, "pilots", used.items())
    yield _counter("pilots_started", "Pilots started.", total.started)
    lived, ended = total.lived, sum(total.ended.values())
    words = "How long the pilots that are gone ran."
    yield SummaryMetricFamily("plancton_pilot_lifetime_seconds", words, ended, lived)
    yield _counters("pilots_ended", "Pilots that are gone.", "reason", total.ended.items())
    yield _counter("pilots_frozen", "Times a pilot was frozen.", total.frozen)
    yield _counter("reclaimed_bytes", "Memory that frozen pilots gave back.", total.reclaimed)
    yield _counter("pilots_evicted", "Pilots ended because of pressure.", total.evicted)


def _engine(s: Snapshot) -> Iterator[Metric]:
    yield _gauge("tick_duration_seconds", "How long the last tick took.", s.tick_seconds)
    yield _counter("errors", "Ticks without Docker, and actions that failed.", s.errors)
    yield _gauge("backoffs", "Profiles that wait after failures.", s.backoffs)
    sinks = {sink.name: sink for sink in s.sinks}
    sent = ((name, sink.sent) for name, sink in sinks.items())
    yield _counters("points_sent", "Points that a database took.", "target", sent)
    kept = ((name, sink.queued) for name, sink in sinks.items())
    yield _gauges("points_queued", "Points kept for a database.", "target", kept)
    lost = ((name, sink.dropped) for name, sink in sinks.items())
    yield _counters("points_dropped", "Points that a database did not get.", "target", lost)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"plancton_{name}", words, value=float(value))


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"plancton_{name}", words, value=float(value))


def _gauges(name: str, words: str, label: str, values: Values) -> Metric:
    family = GaugeMetricFamily(f"plancton_{name}", words, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _counters(name: str, words: str, label: str, values: Values) -> Metric:
    family = CounterMetricFamily(f"plancton_{name}", words, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family
