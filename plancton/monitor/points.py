"""What databases see of a node: points made of what the engine publishes. Pure.

``daemon``, ``measurement`` and ``container`` are those of Plancton 0.6.0, for dashboards made for
it: the short host name, and every number a float, as that version wrote them. A whole number
there would be refused by a database that already has the field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plancton.engine.model.operator import Mode
from plancton.engine.records.ledger import Account
from plancton.engine.views.snapshot import EndedPilot, ObjectiveView, Snapshot

Field = float | int | str | bool
STATES = ("starting", "running", "frozen", "terminating", "exited")


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One row of a measurement."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Field]
    at: int
    """Nanoseconds since 1970."""


def short_host_name(node: str) -> str:
    """Return a host name as 0.6.0 wrote it: without its domain."""
    return node.partition(".")[0]


def trouble_text(s: Snapshot) -> str:
    """Say what is wrong with a node, in one line; empty: nothing."""
    words = [f"Docker is away: {s.degraded}"] if s.degraded else []
    words += [f"configuration refused: {s.config_error}"] if s.config_error else []
    words += [f"remote configuration: {s.remote.error}"] if s.remote and s.remote.error else []
    return "; ".join((*words, *s.warnings))


def disk_used(s: Snapshot, profile: str) -> int:
    """Return the bytes that the pilots of a profile have written to disk, as far as is known."""
    return sum(p.disk_used or 0 for p in s.pilots if p.profile == profile)


def node_points(s: Snapshot, interval: float) -> Iterator[MetricPoint]:
    """Yield the points of one snapshot; the next follow after *interval* seconds."""
    at = int(s.wall * 1e9)
    yield from _legacy_points(s, at)
    tags = {"node": s.node, "instance": s.instance}
    yield MetricPoint("plancton_node", tags, {**_node(s), "interval": float(interval)}, at)
    yield MetricPoint("plancton_host", tags, _host(s), at)
    yield MetricPoint("plancton_engine", tags, _engine(s), at)
    yield MetricPoint("plancton_ledger", tags, _ledger(s.ledger.total), at)
    for each in s.objectives:
        place = {**tags, "objective": each.name}
        yield MetricPoint("plancton_objective", place, _objective(each), at)
    counts = Counter((p.profile, p.state) for p in s.pilots)
    for profile in s.profiles:
        here: dict[str, Field] = {state: counts[profile, state] for state in STATES}
        here["disk_used"] = disk_used(s, profile)
        yield MetricPoint("plancton_pilots", {**tags, "profile": profile}, here, at)


def _objective(view: ObjectiveView) -> dict[str, Field]:
    known: dict[str, Field] = {} if view.value is None else {"value": float(view.value)}
    return {**known, "limit": float(view.limit), "known": int(view.value is not None)}


def end_points(node: str, instance: str, ended: EndedPilot, number: int) -> Iterator[MetricPoint]:
    """Yield the points of a pilot's end; *number* tells ends of one moment apart."""
    # Two points of a series at one time are one point to the database.
    at = int(ended.ended_wall * 1e9) + number % 1000
    killed = ended.started and ended.code not in ("exited", "never-started")
    tags = {"hostname": short_host_name(node), "started": str(ended.started), "killed": str(killed)}
    yield MetricPoint("container", tags, {"uptime": float(ended.lifetime or 0.0)}, at)
    fields: dict[str, Field] = {
        "name": ended.name,
        "reason": ended.reason,
        "lifetime": float(ended.lifetime or 0.0),
        "oom_killed": ended.oom_killed,
    }
    if ended.exit_code is not None:
        fields["exit_code"] = ended.exit_code
    if ended.core_seconds is not None:
        fields["core_seconds"] = float(ended.core_seconds)
    tags = {"node": node, "instance": instance, "profile": ended.profile, "code": ended.code}
    yield MetricPoint("plancton_exit", tags, fields, at)


def _legacy_points(s: Snapshot, at: int) -> Iterator[MetricPoint]:
    tags = {"hostname": short_host_name(s.node)}
    fields: dict[str, Field] = {"uptime": float(s.wall - s.started_wall)}
    if s.degraded:
        fields["status"] = "waiting"
    else:
        fields["status"] = "active" if s.mode is Mode.ACTIVE else "draining"
        fields["containers"] = float(_running(s))
    yield MetricPoint("daemon", tags, fields, at)
    if s.load is not None and not s.degraded:
        yield MetricPoint("measurement", tags, {"cpu_eff": _busy(s)}, at)


def _running(s: Snapshot) -> int:
    return sum(p.state in ("running", "frozen", "terminating") for p in s.pilots)


def _busy(s: Snapshot) -> float:
    """Return the share of all cores in use, per cent."""
    return 100.0 * (s.load.foreground + s.load.own) / s.load.ncpus if s.load else 0.0


def _node(s: Snapshot) -> dict[str, Field]:
    """Return the node at a glance: what a table of all nodes shows."""
    today = s.ledger.today
    fields: dict[str, Field] = {
        "mode": s.mode.value,
        "version": s.version,
        "protection": s.protection.value,
        "trouble": trouble_text(s),
        "docker_up": int(not s.degraded),
        "config_good": int(not s.config_error),
        "uptime": float(s.wall - s.started_wall),
        "maximum": s.maximum,
        "harvested_core_seconds_today": float(today.harvested),
        "harvested_core_seconds": float(s.ledger.total.harvested),
        **{state: sum(p.state == state for p in s.pilots) for state in STATES},
    }
    if s.load is not None:
        fields |= {"cpu_eff": _busy(s), "ncpus": s.load.ncpus}
    if today.share is not None:
        fields["harvested_share_today"] = today.share
    return fields


def _host(s: Snapshot) -> dict[str, Field]:
    fields: dict[str, Field] = {"committed": float(s.committed), "overcommit": float(s.overcommit)}
    if s.load is not None:
        load = s.load
        fields |= {"ncpus": load.ncpus, "foreground": load.foreground}
        fields |= {"own": load.own, "idle": load.idle}
        if load.waited is not None:
            fields["waited"] = load.waited
    if s.room is not None:
        fields["room"] = s.room
    if s.host is not None:
        host = s.host
        fields |= {
            "memory_total": host.memory_total,
            "memory_available": host.memory_available,
            "swapped": sum(pilot.swapped for pilot in s.pilots),
            "disk_free": host.disk_free,
            "inodes_free": host.inodes_free,
            "load1": host.load1,
            **{f"pressure_{name}": each.percent for name, each in host.stalled.items()},
        }
    return fields


def _engine(s: Snapshot) -> dict[str, Field]:
    return {
        "ticks": s.tick,
        "tick_seconds": float(s.tick_seconds),
        "requests": s.requests,
        "errors": s.errors,
        "backoffs": s.backoffs,
        "config_revision": s.config_revision,
        "reloads": s.reloads,
        "queue_depth": sum(sink.queued for sink in s.sinks),
        "points_sent": sum(sink.sent for sink in s.sinks),
        "points_dropped": sum(sink.dropped for sink in s.sinks),
    }


def _ledger(total: Account) -> dict[str, Field]:
    """Return the account of all time; counts that only grow."""
    ended = {f"ended_{_key(why)}": count for why, count in total.ended.items()}
    missed = {f"missed_{_key(why)}": float(sum_) for why, sum_ in total.missed.items()}
    return {
        "observed_seconds": float(total.seconds),
        "harvested_core_seconds": float(total.harvested),
        "missed_core_seconds": float(sum(total.missed.values())),
        "lost_core_seconds": float(total.lost),
        "waited_seconds": float(total.waited),
        "waited_alone_seconds": float(total.waited_alone),
        "foreground_core_seconds": float(total.foreground),
        "foreground_alone_core_seconds": float(total.foreground_alone),
        "started": total.started,
        "ended": sum(total.ended.values()),
        "lived_seconds": float(total.lived),
        "frozen": total.frozen,
        "evicted": total.evicted,
        "reclaimed_bytes": total.reclaimed,
        **ended,
        **missed,
    }


def _key(why: str) -> str:
    return why.replace(" ", "_")
