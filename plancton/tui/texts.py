"""What the screens say of one moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from plancton.config.units import format_duration, format_size, format_wait
from plancton.engine.model.cpu_list import format_cpu_list
from plancton.engine.model.operator import Mode
from plancton.engine.views.snapshot import PilotView, Snapshot
from plancton.engine.views.text import clock, core_hours, count_pilots, sink_line
from plancton.tui.moment import Moment
from plancton.tui.short_units import short_duration

GOOD, WARN, BAD, DIM, PLAIN = "$text-success", "$text-warning", "$text-error", "$text-muted", ""
StyledLine = list[tuple[str, str]]
"""The parts of a line, each with its style."""
SILENT_AFTER = 30.0
"""Seconds beyond its interval after which an engine that says nothing is pointed out."""

_MODES = {
    Mode.ACTIVE: (GOOD, "active: pilots are started where there is room"),
    Mode.DRAINING: (WARN, "draining: no new pilots, those that run go on to their end"),
    Mode.STOPPING: (WARN, "stopping: as draining, and Plancton ends with the last pilot"),
    Mode.ENDING: (BAD, "ending: pilots are asked to go, then Plancton ends"),
    Mode.FORCED: (BAD, "forced: pilots are killed, then Plancton ends"),
}


def node_line(moment: Moment) -> StyledLine:
    """Return node, mode, protection and revision."""
    s = moment.snapshot
    if s is None:
        return [(" Plancton ", "bold reverse"), ("  no word from the engine yet", DIM)]
    style, _ = _MODES[s.mode]
    parts: StyledLine = [(f" {s.node} ", "bold reverse"), ("  ", "")]
    parts.append((f"● {s.mode.value.upper()}", f"bold {style}"))
    if s.degraded:
        parts.append(("  DOCKER AWAY", f"bold {BAD}"))
    full = not s.protection_note
    parts += [("  ", ""), (s.protection.value, GOOD if full else WARN)]
    parts.append((f"  config r{s.config_revision}", BAD if s.config_error else DIM))
    parts += [(" REFUSED", f"bold {BAD}")] * bool(s.config_error)
    parts += [("  read-only", WARN)] * moment.readonly
    share = s.ledger.today.share
    today = "" if share is None else f" ({100 * share:.0f}% of idle)"
    parts.append((f"  today {core_hours(s.ledger.today.harvested)}{today}", DIM))
    return parts


def next_event_line(moment: Moment) -> StyledLine:
    """Return how this program holds the engine, and what happens next."""
    s = moment.snapshot
    if s is None:
        return [(f" {moment.connection}", DIM)]
    coming = s.coming
    connection = (f" {moment.connection} · ", DIM)
    if coming is None:
        return [connection, ("nothing is due", DIM)]
    left = coming.wall - moment.now
    when = f"in {short_duration(left)}" if left >= 1 else "now"
    return [connection, (when, "bold"), (f": {coming.text}", "")]


def banner(moment: Moment) -> tuple[str, str]:
    """Return the one thing that matters more than all else and its style; empty: nothing."""
    return next(_banners(moment), ("", ""))


def _banners(moment: Moment) -> Iterator[tuple[str, str]]:
    """Yield all that matters, the most important first."""
    s, died, lost = moment.snapshot, moment.engine_failure, moment.connection_lost
    if died:
        yield f"THE ENGINE DIED: {died}. Its pilots run on; quit and start it again.", BAD
    if lost:
        yield f"NO CONNECTION: {lost}. Trying again; what is below is of the past.", BAD
    if s is None:
        return
    if moment.ends_with_last_pilot:
        yield f"Ending with the last pilot: {len(s.pilots)} to go. q again: leave them.", WARN
    if moment.snapshot_age > s.interval + SILENT_AFTER:
        ago = format_duration(moment.snapshot_age)
        yield f"THE ENGINE IS SILENT: it last spoke {ago} ago.", BAD
    if s.degraded:
        yield f"DOCKER AWAY: {s.degraded}. Pilots are shown as last seen.", BAD
    if s.config_error:
        yield f"CONFIGURATION REFUSED, the last good one stays: {s.config_error}", BAD


def reasons(moment: Moment) -> Iterator[StyledLine]:
    """Yield the present reasons, a line each, and what is watched."""
    s = moment.snapshot
    if s is None:
        yield [("The engine has not said anything yet.", DIM)]
        return
    yield from _why_nothing_starts(s)
    for signal in s.signals:
        if signal.acts:
            text = f"{signal.name}: {signal.reading} - now: {signal.acts}"
            yield [("▲ ", WARN), (text, PLAIN)]
    for warning in _warnings(s):
        yield [("! ", WARN), (warning, PLAIN)]
    for signal in s.signals:
        if not signal.acts and signal.limits != "off":
            yield [(f"  {signal.name}: {signal.reading} ({signal.limits})", DIM)]
    for sink in s.sinks:
        if not sink.error:  # one that fails is among the warnings
            yield [(f"  {sink_line(sink)}", DIM)]


def _why_nothing_starts(s: Snapshot) -> Iterator[StyledLine]:
    """Yield why nothing more is started."""
    if s.degraded:
        yield [("✗ ", BAD), ("nothing is decided while Docker cannot be seen", PLAIN)]
        return
    held = [f for f in s.findings if f.code != "mode"]
    if s.mode is not Mode.ACTIVE:
        style, text = _MODES[s.mode]
        yield [("● ", style), (text, PLAIN)]
    elif not held:
        yield [("✓ ", GOOD), ("nothing is held back", PLAIN)]
    for finding in held:
        yield [("· ", DIM), (finding.text, PLAIN)]


def _warnings(s: Snapshot) -> Iterator[str]:
    """Yield what an administrator should mend."""
    if s.remote and s.remote.error:
        yield f"remote configuration: {s.remote.error}"
    yield from s.warnings
    if s.protection_note:
        yield f"protection is {s.protection.value}: {s.protection_note}"


def empty_table(moment: Moment, filter_text: str) -> str:
    """Return what is shown in place of an empty table."""
    s = moment.snapshot
    if s is None:
        return "The engine has not said anything yet."
    if s.pilots:
        return f"None of {len(s.pilots)} pilots matches {filter_text!r}; esc shows them all."
    if s.degraded:
        return f"No pilots were seen, and Docker is away: {s.degraded}"
    findings = "; ".join(f.text for f in s.findings)
    return f"No pilots: {findings or 'the engine has just started'}."


def load_legend(moment: Moment) -> StyledLine:
    """Return the legend of the CPU plot with the figures of now."""
    load = moment.snapshot.load if moment.snapshot else None
    if load is None:
        away = moment.snapshot and moment.snapshot.degraded
        return [("not measured while Docker is away" if away else "being measured", DIM)]
    ceiling = moment.snapshot.ceiling if moment.snapshot else None
    parts: StyledLine = [
        ("█", "$primary"),
        (f" foreground {load.foreground:.1f}  ", ""),
        ("█", "$success"),
        (f" pilots {load.own:.1f}  ", ""),
        (f"idle {load.idle:.1f} of {load.ncpus}", DIM),
    ]
    if ceiling is not None and ceiling < load.ncpus:
        parts.append((f"  ┄ ceiling {ceiling:.1f}", WARN))
    if load.waited is not None:
        parts.append((f"  waits {format_wait(load.waited)}/s", DIM))
    return parts


def _cpu_now(pilot: PilotView) -> str:
    cpu = "-" if pilot.cpu is None else f"{pilot.cpu:.2f}"
    if pilot.cpu_limit and pilot.cpu_limit > pilot.cpus:
        return f"{cpu} cores, {pilot.cpus:g} promised, at most {pilot.cpu_limit:g}"
    return f"{cpu} of {pilot.cpus:g} cores"


def _efficiency(pilot: PilotView) -> str:
    part = "-" if pilot.efficiency is None else f"{100 * pilot.efficiency:.0f} %"
    beside = (pilot.mean_cpu or 0.0) - pilot.cpus
    more = f", and {beside:.2f} idle ones beside" if beside >= 0.05 else ""
    return f"{part} of its cores since its start{more}"


def pilot_facts(pilot: PilotView, moment: Moment) -> list[tuple[str, str]]:
    """Return names and values of all that is known of a pilot, then its profile's settings."""
    since, ttl = moment.snapshot_age, pilot.ttl_left
    left = "none" if ttl is None else format_duration(max(0.0, ttl - since))
    used = "-" if pilot.memory_used is None else format_size(pilot.memory_used)
    used += f", {format_size(pilot.swapped)} in swap" if pilot.swapped else ""
    disk = "-" if pilot.disk_used is None else format_size(pilot.disk_used)
    bound = f" of {format_size(pilot.disk)}" if pilot.disk else ", without a bound"
    rows = [
        ("name", pilot.name),
        ("container", pilot.id[:12]),
        ("image", pilot.image_id.removeprefix("sha256:")[:12] or "-"),
        ("profile", f"{pilot.profile}, slot {pilot.slot}, {count_pilots(pilot.before)} before it"),
        ("last exit", pilot.last_exit or "there was none before it"),
        ("state", pilot.state + (f": {pilot.note}" if pilot.note else "")),
        ("age", format_duration(pilot.age + since)),
        ("TTL left", left),
        ("cpu now", _cpu_now(pilot)),
        ("runs on", f"CPU {format_cpu_list(pilot.bound_to)}" if pilot.bound_to else "any CPU"),
        ("efficiency", _efficiency(pilot)),
        ("memory", f"{used} of {format_size(pilot.memory)}"),
        ("disk", f"{disk}{bound}"),
    ]
    if pilot.sent is not None and pilot.received is not None:
        traffic = f"{format_size(pilot.sent)} sent, {format_size(pilot.received)} received"
        rows.append(("network", traffic))
    prefix = f"pilots[{pilot.profile}]."
    own = [each for each in moment.settings if each.key.startswith(prefix)]
    for setting in sorted(own, key=lambda each: not each.origin):
        default = "" if setting.origin else " (default)"
        rows.append((f"· {setting.key.removeprefix(prefix)}", f"{setting.value}{default}"))
    return rows


def pilot_decisions(pilot: PilotView | None, name: str, moment: Moment) -> Iterator[StyledLine]:
    """Yield what was decided about a pilot, newest first."""
    s = moment.snapshot
    for decided in reversed(s.decisions if s else ()):
        if decided.subject == name:
            failed = f" - FAILED: {decided.error}" if decided.error else ""
            yield [
                (f"{clock(decided.wall, '%H:%M:%S')} ", DIM),
                (f"{decided.did}", "bold"),
                (f": {decided.text}{failed}", BAD if failed else PLAIN),
            ]
    ended = next((each for each in (s.ended if s else ()) if each.name == name), None)
    if pilot is None and ended is not None:
        yield [("last words", "bold"), (f": {ended.log.strip() or 'none'}", PLAIN)]
