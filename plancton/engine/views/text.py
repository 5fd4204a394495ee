"""Figures in words, the same on the command line and in the TUI."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from plancton.config.units import format_duration, format_rate, format_size, format_wait
from plancton.engine.model.node import NetworkShare
from plancton.engine.model.reason import Code
from plancton.engine.records.ledger import Account, Ledger
from plancton.engine.views.fleet import Member
from plancton.engine.views.snapshot import SinkState, Snapshot

T = TypeVar("T")
_STEERING = re.compile(
    r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
    r"|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
"""Control characters, but for tabs, ends of lines, and escape sequences that set colours; and
characters that turn the direction of writing."""


_NAMED = 3
"""Pilots that are named in one line; the others are counted."""


def count_pilots(count: int) -> str:
    """Write a number of pilots."""
    return "1 pilot" if count == 1 else f"{count} pilots"


def printable(text: str) -> str:
    """Return *text*, which may come from a pilot or a registry, unable to steer the terminal."""
    if text.isprintable():
        return text
    clean = text.expandtabs(4)
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in clean)


def printable_values(value: T) -> T:
    """Return a record with each text in it, at any depth, ``printable``."""
    return cast("T", _printable_value(value))


def _printable_value(value: Any) -> Any:
    match value:
        case str() if type(value) is str:
            return printable(value)
        case tuple() if type(value) is tuple:
            return tuple(map(_printable_value, value))
        case list():
            return list(map(_printable_value, value))
        case dict():
            return {_printable_value(k): _printable_value(v) for k, v in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    before = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
    changed = {name: new for name, old in before.items() if (new := _printable_value(old)) != old}
    return replace(value, **changed) if changed else value


def without_steering(text: str) -> str:
    """Return a pilot's output with its lines and colours, and unable to steer the terminal."""
    return _STEERING.sub("", text)


def asks_to_drain(snapshot: Snapshot) -> bool:
    """Say whether only the configuration keeps the node from starting pilots."""
    return any(finding.code == Code.CONFIG_DRAIN for finding in snapshot.findings)


def clock(wall: float, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a moment in the node's own time."""
    return time.strftime(form, time.localtime(wall))


def core_hours(seconds: float) -> str:
    """Write core-seconds as core-hours."""
    hours = seconds / 3600
    return f"{hours:.1f} core-h" if hours >= 10 else f"{hours:.3f} core-h"


def network_line(share: NetworkShare) -> str:
    """Return how pilots are held back on the network, and which are not, in one line."""
    rates = [
        f"{who} {format_rate(rate)}"
        for who, rate in (("all pilots together", share.total), ("each", share.each))
        if rate is not None
    ]
    parts = [f"{', '.join(rates)} in each direction"] * bool(rates)
    parts += ["packets marked as lower effort"] * share.marked
    parts = parts or ["not limited"]
    parts.append(f"{count_pilots(share.covered)} covered")
    for why in dict.fromkeys(share.uncovered.values()):
        names = [name for name, each in share.uncovered.items() if each == why]
        more = f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
        parts.append(f"NOT covered: {', '.join(names[:_NAMED])}{more} ({why})")
    return "; ".join([*parts, *([f"FAILS: {share.error}"] if share.error else [])])


def sink_line(sink: SinkState) -> str:
    """Return how it stands with a target of metrics, in one line."""
    figures = f"{sink.sent} points sent, {sink.queued} kept, {sink.dropped} lost"
    if not sink.error:
        last = "" if sink.last_wall is None else f", last at {clock(sink.last_wall, '%H:%M:%S')}"
        return f"{sink.name}: {figures}{last}"
    since = "" if sink.since_wall is None else f" since {clock(sink.since_wall)}"
    return f"{sink.name} fails{since}: {sink.error} ({figures})"


def waited_line(snapshot: Snapshot) -> str:
    """Return what the foreground waits for a core, in one line; empty: it is being measured."""
    load, host, today = snapshot.load, snapshot.host, snapshot.ledger.today
    if host is not None and host.waited_seconds is None:
        return f"not known: {host.waited_missing}" if host.waited_missing else "not known"
    if load is None or load.waited is None:
        return ""
    shares = [
        f"{format_wait(share)} {when} pilots"
        for share, when in ((today.waited_share, "beside"), (today.waited_share_alone, "without"))
        if share is not None
    ]
    per_second = f"; today, per CPU second: {', '.join(shares)}" if shares else ""
    span = format_duration(load.span)
    return f"the foreground waited {format_wait(load.waited)} a second (over {span}){per_second}"


def _waited(seconds: float, share: float | None) -> str:
    if share is None:
        return format_duration(seconds) if seconds else "-"
    return f"{format_duration(seconds)} ({format_wait(share)} per CPU second)"


def account_line(account: Account) -> str:
    """Return an account in one line."""
    share = "" if account.share is None else f" ({100 * account.share:.0f} % of what was idle)"
    return (
        f"{core_hours(account.harvested)} harvested{share}, {account.frozen} times frozen, "
        f"{account.evicted} evicted, {core_hours(account.lost)} of work lost"
    )


def ledger_table(ledger: Ledger) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows: today's account and the whole one beside each other."""
    today, total = ledger.today, ledger.total
    rows: list[tuple[str, ...]] = []

    def add(name: str, figure: Callable[[Account], str]) -> None:
        rows.append((name, figure(today), figure(total)))

    add("observed", lambda a: format_duration(a.seconds))
    add("harvested", lambda a: core_hours(a.harvested))
    add("share of what was idle", lambda a: "-" if a.share is None else f"{100 * a.share:.1f} %")
    for cause in sorted(total.missed, key=lambda c: -total.missed[c]):
        hours = (core_hours(account.missed.get(cause, 0.0)) for account in (today, total))
        rows.append((f"idle, not harvested: {cause}", *hours))
    for name in total.stalled:
        spans = (format_duration(account.stalled.get(name, 0.0)) for account in (today, total))
        rows.append((f"some task waited for {name}", *spans))
    if total.waited or total.waited_alone or total.foreground or total.foreground_alone:
        add("foreground waited, beside pilots", lambda a: _waited(a.waited, a.waited_share))
        add(
            "foreground waited, without pilots",
            lambda a: _waited(a.waited_alone, a.waited_share_alone),
        )
    add("pilots started", lambda a: str(a.started))
    for cause in sorted(total.ended):
        counts = (str(account.ended.get(cause, 0)) for account in (today, total))
        rows.append((f"pilots ended: {cause}", *counts))
    add(
        "mean life of a pilot", lambda a: "-" if a.lifetime is None else format_duration(a.lifetime)
    )
    add("times a pilot was frozen", lambda a: str(a.frozen))
    add("pilots evicted", lambda a: str(a.evicted))
    if total.reclaimed:
        add("memory given back by frozen pilots", lambda a: format_size(a.reclaimed))
    add("longest reaction to pressure", lambda a: format_duration(a.reaction_max))
    add("work lost by evictions", lambda a: core_hours(a.lost))
    since = clock(ledger.since_wall) if ledger.since_wall else "now"
    return ("", f"TODAY {ledger.day}", f"SINCE {since}"), rows


FLEET_HEAD = ("NODE", "MODE", "PILOTS", "CPU", "CORE-H", "SEEN AGO", "TROUBLE")


def fleet_rows(members: Sequence[Member], now: float) -> list[tuple[str, ...]]:
    """Return a row for each node of a fleet, under ``FLEET_HEAD``."""
    times = Counter(member.node for member in members)

    def name(member: Member) -> str:
        alone = times[member.node] == 1
        return member.node if alone else f"{member.node} ({member.instance})"

    return [
        (
            name(member),
            member.mode,
            f"{member.running}/{member.maximum}"
            + (f", {member.frozen} frozen" if member.frozen else ""),
            "-" if member.efficiency is None else f"{member.efficiency:.0f} %",
            f"{member.harvested_today / 3600:.1f}",
            format_duration(max(0, round(now - member.seen_wall))),
            member.ails(now),
        )
        for member in members
    ]


def fleet_line(members: Sequence[Member], now: float) -> str:
    """Return all nodes of a fleet in one line; figures are of those that report."""
    heard = [member for member in members if not member.silence(now)]
    troubled = sum(bool(member.trouble) for member in heard)
    idle = sum(member.mode != "active" for member in heard)
    cores = sum(member.ncpus for member in heard if member.efficiency is not None)
    busy = sum(member.ncpus * (member.efficiency or 0.0) for member in heard)
    harvested = core_hours(sum(member.harvested_today for member in heard))
    nodes = "1 node" if len(members) == 1 else f"{len(members)} nodes"
    return (
        f"{nodes}, {len(members) - len(heard)} silent, {troubled} in trouble, {idle} not active; "
        f"{count_pilots(sum(member.running for member in heard))}, "
        f"{f'{busy / cores:.0f}' if cores else '-'} % of {cores} cores in use, "
        f"{harvested} harvested today"
    )
