"""Snapshots as text for people and JSON for programs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence

from pydantic_core import to_json

from plancton.config.effective import RemoteState
from plancton.config.units import format_duration, format_size
from plancton.engine.records.history import Row
from plancton.engine.records.ledger import Ledger
from plancton.engine.views.fleet import Member
from plancton.engine.views.snapshot import DecisionRecord, PilotView, SignalView, Snapshot
from plancton.engine.views.text import (
    FLEET_HEAD,
    account_line,
    asks_to_drain,
    clock,
    fleet_line,
    fleet_rows,
    ledger_table,
    network_line,
    printable,
    sink_line,
    waited_line,
)

_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n]")
_NOBODY = "no node has reported to this database within a week"


def as_json(value: object, indent: int | None = 2) -> str:
    """Return *value* as JSON, indented or on one line; what is not printable is escaped."""
    text = to_json(value, indent=indent).decode()
    return _NOT_PLAIN.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def event_text(wall: float, text: str) -> str:
    """Return one event in one line."""
    return f"{clock(wall)}  {text}"


def status_text(snapshot: Snapshot) -> str:
    """Return the node at a glance."""
    s = snapshot
    up = format_duration(max(0.0, s.wall - s.started_wall))
    rows = [
        (
            "node",
            f"{s.node} (instance {s.instance}, Plancton {s.version}, process {s.pid}, up {up})",
        ),
        ("mode", s.mode.value + ", but the configuration asks to drain" * asks_to_drain(s)),
        ("docker", f"UNAVAILABLE: {s.degraded}" if s.degraded else "available"),
        (
            "protection",
            s.protection.value + (f" - {s.protection_note}" if s.protection_note else ""),
        ),
        ("latency", s.latency),
        *([("network", network_line(s.host.network))] if s.host and s.host.network else []),
        ("cpu", _cpu(s)),
        *([("waited", waited)] if (waited := waited_line(s)) else []),
        ("host", _host(s)),
        ("pilots", f"{_count(s)}; at most {s.maximum}, {_promised(s)}"),
        *([("cpu limit", s.cpu_limit)] if s.cpu_limit else []),
        ("so far", _so_far(s)),
        ("today", account_line(s.ledger.today)),
        ("config", f"{s.config_source}, revision {s.config_revision}"),
    ]
    rows += [("remote", _remote(s.remote))] if s.remote else []
    rows += [("metrics", sink_line(sink)) for sink in s.sinks if not sink.error]
    rows += [("CONFIG", f"refused, the last good one stays: {s.config_error}")] * bool(
        s.config_error
    )
    rows += [("warning", warning) for warning in s.warnings]
    rows += [("signal", _signal(each)) for each in s.signals if each.limits != "off"]
    off = [f"{each.name} ({each.reading})" for each in s.signals if each.limits == "off"]
    rows += [("signals off", ", ".join(off))] * bool(off)
    rows += [("why", finding.text) for finding in s.findings]
    age = time.time() - s.wall
    if age > s.interval + 30:
        rows.append(("stale", f"the engine last spoke {format_duration(age)} ago"))
    return "\n".join(f"{name:<11} {text}" for name, text in rows)


def hosts_text(rows: Iterable[tuple[str, Snapshot | None, str]]) -> str:
    """Return one line for each node: its host and what it says, or why it says nothing."""
    head = ("HOST", "NODE", "MODE", "PILOTS", "MAX", "CORES", "FOREGROUND", "IDLE", "NOTE")
    return table(head, (_host_row(*row) for row in rows))


def _host_row(host: str, snapshot: Snapshot | None, error: str) -> Sequence[str]:
    if snapshot is None:
        return (host, "-", "FAILED", *("-" for _ in range(5)), error)
    s, load = snapshot, snapshot.load
    running = [pilot for pilot in s.pilots if pilot.state == "running"]
    cores = (str(load.ncpus), f"{load.foreground:.2f}", f"{load.idle:.2f}") if load else ("-",) * 3
    wrong = (s.degraded, s.config_error, s.remote.error if s.remote else "")
    note = next(filter(None, (*wrong, *(each.text for each in s.findings), *s.warnings)), "")
    mode = "config drain" if asks_to_drain(s) else s.mode.value
    return (host, s.node, mode, str(len(running)), str(s.maximum), *cores, note)


def _remote(remote: RemoteState) -> str:
    fetched = "never fetched" if remote.fetched_wall is None else f"of {clock(remote.fetched_wall)}"
    failed = f" - FAILED: {remote.error}" if remote.error else ""
    return f"{remote.url}, {fetched}{failed}"


def _promised(s: Snapshot) -> str:
    times = f", up to {s.overcommit:.2f} times what is free" if s.overcommit > 1 else ""
    return f"{s.committed:g} cores promised{times}"


def _so_far(snapshot: Snapshot) -> str:
    s = snapshot
    return f"{s.spawned} started, {s.frozen} times frozen, {s.evicted} evicted since its start"


def _signal(signal: SignalView) -> str:
    acts = f" - now: {signal.acts}" if signal.acts else ""
    return f"{signal.name}: {signal.reading} ({signal.limits}){acts}"


def history_text(rows: Sequence[Row]) -> str:
    """Return the means of each step of time, oldest first."""
    head = ("FROM", "CPU", "FOREGROUND", "LOAD", "MEM FREE", "DISK FREE", "PILOTS", "FROZEN")
    lines = []
    for row in rows:
        cpu, foreground, load, mem, disk, pilots, frozen = row.values
        sizes = (format_size(mem), format_size(disk))
        cores = (f"{cpu:.2f}", f"{foreground:.2f}", f"{load:.2f}")
        lines.append((clock(row.at), *cores, *sizes, f"{pilots:.1f}", f"{frozen:.1f}"))
    return table(head, lines) if lines else "nothing was seen yet"


def fleet_text(members: Sequence[Member], now: float) -> str:
    """Return the table of all nodes, those in trouble first, and their sum."""
    rows = [tuple(map(printable, row)) for row in fleet_rows(members, now)]
    return f"{table(FLEET_HEAD, rows)}\n\n{fleet_line(members, now)}" if rows else _NOBODY


def ledger_text(ledger: Ledger) -> str:
    """Return today's account and the whole one beside each other."""
    return table(*ledger_table(ledger))


def _cpu(snapshot: Snapshot) -> str:
    load = snapshot.load
    if load is None:
        return "being measured"
    return (
        f"{load.ncpus} cores: {load.foreground:.2f} foreground, {load.own:.2f} pilots, "
        f"{load.idle:.2f} idle (over {format_duration(load.span)})"
    )


def _host(snapshot: Snapshot) -> str:
    host = snapshot.host
    if host is None:
        return "not seen yet"
    memory = f"{format_size(host.memory_available)} of {format_size(host.memory_total)} memory"
    gave = sum(pilot.swapped for pilot in snapshot.pilots)
    swapped = f" (frozen pilots gave back {format_size(gave)})" if gave else ""
    disk = f"{format_size(host.disk_free)} disk free"
    return f"load {host.load1:.2f}, {memory} available{swapped}, {disk}"


def _count(snapshot: Snapshot) -> str:
    states = [pilot.state for pilot in snapshot.pilots]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "none"


def pilots_text(snapshot: Snapshot) -> str:
    """Return the table of pilots, or why there are none."""
    if not snapshot.pilots:
        return "no pilots: " + (
            "; ".join(f.text for f in snapshot.findings) or "the engine has just started"
        )
    head = ("PILOT", "ID", "PROFILE", "STATE", "AGE", "TTL LEFT", "CPU", "DISK", "NOTE")
    return table(head, (_pilot_row(pilot) for pilot in snapshot.pilots))


def _pilot_row(pilot: PilotView) -> Sequence[str]:
    left = "-" if pilot.ttl_left is None else format_duration(max(0.0, pilot.ttl_left))
    cpu = "-" if pilot.cpu is None else f"{pilot.cpu:.2f}"
    disk = "-" if pilot.disk_used is None else format_size(pilot.disk_used)
    age = format_duration(pilot.age)
    return (
        pilot.name or "-",
        pilot.id[:12],
        pilot.profile,
        pilot.state,
        age,
        left,
        cpu,
        disk,
        pilot.note,
    )


def why_text(snapshot: Snapshot) -> str:
    """Return the present reasons and the last events."""
    now = [f"  {finding.text}" for finding in snapshot.findings] or ["  nothing is held back"]
    before = [f"  {clock(each.wall)}  {_decided(each)}" for each in snapshot.decisions]
    return "\n".join(["now", *now, "", "before (oldest first)", *(before or ["  nothing yet"])])


def _decided(decided: DecisionRecord) -> str:
    """Return one decision: who, what, why, and what went wrong."""
    failed = f" - FAILED: {decided.error}" if decided.error else ""
    subject = "" if decided.did == "waiting" else f"{decided.subject} "
    return f"{subject}{decided.did}: {decided.text}{failed}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align columns with two blanks between them."""
    lines = [[cell.replace("\n", " ") for cell in line] for line in (head, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
