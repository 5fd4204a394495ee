"""What the screens show of one moment, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from plancton.config.effective import Setting
from plancton.config.units import format_duration, format_size
from plancton.engine.model.operator import Mode
from plancton.engine.records.history import History
from plancton.engine.views.snapshot import PilotView, Snapshot
from plancton.engine.views.text import clock, core_hours, sink_line
from plancton.engine.views.text import pilots as counted
from plancton.tui.rows import brief

GOOD, WARN, BAD, DIM, PLAIN = "$text-success", "$text-warning", "$text-error", "$text-muted", ""
Words = list[tuple[str, str]]
"""Parts of a text with their styles."""
STALE = 30.0
"""Seconds beyond its interval after which an engine that says nothing is pointed out."""

_MODES = {
    Mode.ACTIVE: (GOOD, "active: pilots are started where there is room"),
    Mode.DRAINING: (WARN, "draining: no new pilots, those that run go on to their end"),
    Mode.STOPPING: (WARN, "stopping: as draining, and Plancton ends with the last pilot"),
    Mode.ENDING: (BAD, "ending: pilots are asked to go, then Plancton ends"),
    Mode.FORCED: (BAD, "forced: pilots are killed, then Plancton ends"),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment: what the engine said last, and what is known beside."""

    place: str
    """How this screen holds the engine."""
    snapshot: Snapshot | None = None
    now: float = 0.0
    """By the wall clock."""
    lost: str = ""
    """Why the engine cannot be reached; empty: it can."""
    dead: str = ""
    """Why the engine that this program hosts died; empty: it lives."""
    leaving: bool = False
    """Whether this program ends with the last pilot."""
    readonly: bool = False
    history: History = field(default_factory=History)
    span: str = "5 min"
    """How far back the plot goes."""
    settings: tuple[Setting, ...] = ()
    pending: Mapping[str, str] = field(default_factory=dict)

    @property
    def since(self) -> float:
        """Seconds since the snapshot was taken."""
        return max(0.0, self.now - self.snapshot.wall) if self.snapshot else 0.0

    @property
    def gone(self) -> bool:
        """Whether what is shown is no longer true."""
        return bool(self.lost or self.dead)

    def pilot(self, id_: str) -> PilotView | None:
        """Return a pilot by its ID; None: it has gone."""
        pilots = self.snapshot.pilots if self.snapshot else ()
        return next((pilot for pilot in pilots if pilot.id == id_), None)


def first_line(moment: Moment) -> Words:
    """Return node, mode, protection and revision."""
    s = moment.snapshot
    if s is None:
        return [(" Plancton ", "bold reverse"), ("  no word from the engine yet", DIM)]
    style, _ = _MODES[s.mode]
    parts: Words = [(f" {s.node} ", "bold reverse"), ("  ", "")]
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


def second_line(moment: Moment) -> Words:
    """Return how this screen holds the engine, and what happens next."""
    s = moment.snapshot
    if s is None:
        return [(f" {moment.place}", DIM)]
    coming = s.coming
    place = (f" {moment.place} · ", DIM)
    if coming is None:
        return [place, ("nothing is due", DIM)]
    left = coming.wall - moment.now
    when = f"in {brief(left)}" if left >= 1 else "now"
    return [place, (when, "bold"), (f": {coming.text}", "")]


def banner(moment: Moment) -> tuple[str, str]:
    """Return the one thing that matters more than all else and its style; empty: nothing."""
    return next(_banners(moment), ("", ""))


def _banners(moment: Moment) -> Iterator[tuple[str, str]]:
    """Yield all that matters, the most important first."""
    s = moment.snapshot
    if moment.dead:
        yield f"THE ENGINE DIED: {moment.dead}. Its pilots run on; quit and start it again.", BAD
    if moment.lost:
        yield f"NO CONNECTION: {moment.lost}. Trying again; what is below is of the past.", BAD
    if s is None:
        return
    if moment.leaving:
        yield f"Ending with the last pilot: {len(s.pilots)} to go. q again: leave them.", WARN
    if moment.since > s.interval + STALE:
        yield f"THE ENGINE IS SILENT: it last spoke {format_duration(moment.since)} ago.", BAD
    if s.degraded:
        yield f"DOCKER AWAY: {s.degraded}. Pilots are shown as last seen.", BAD
    if s.config_error:
        yield f"CONFIGURATION REFUSED, the last good one stays: {s.config_error}", BAD


def why(moment: Moment) -> Iterator[Words]:
    """Yield the present reasons, a line each, and what is watched."""
    s = moment.snapshot
    if s is None:
        yield [("The engine has not said anything yet.", DIM)]
        return
    yield from _held(s)
    for signal in s.signals:
        if signal.acts:
            words = f"{signal.name}: {signal.reading} - now: {signal.acts}"
            yield [("▲ ", WARN), (words, PLAIN)]
    for warning in _warnings(s):
        yield [("! ", WARN), (warning, PLAIN)]
    for signal in s.signals:
        if not signal.acts and signal.limits != "off":
            yield [(f"  {signal.name}: {signal.reading} ({signal.limits})", DIM)]
    for sink in s.sinks:
        if not sink.error:  # one that fails is among the warnings
            yield [(f"  {sink_line(sink)}", DIM)]


def _held(s: Snapshot) -> Iterator[Words]:
    """Yield why nothing more is started."""
    if s.degraded:
        yield [("✗ ", BAD), ("nothing is decided while Docker cannot be seen", PLAIN)]
        return
    held = [f for f in s.findings if f.code != "mode"]
    if s.mode is not Mode.ACTIVE:
        style, words = _MODES[s.mode]
        yield [("● ", style), (words, PLAIN)]
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


def nothing(moment: Moment, words: str) -> str:
    """Return what is shown in place of an empty table."""
    s = moment.snapshot
    if s is None:
        return "The engine has not said anything yet."
    if s.pilots:
        return f"None of {len(s.pilots)} pilots matches {words!r}; esc shows them all."
    if s.degraded:
        return f"No pilots were seen, and Docker is away: {s.degraded}"
    reasons = "; ".join(f.text for f in s.findings)
    return f"No pilots: {reasons or 'the engine has just started'}."


def load_line(moment: Moment) -> Words:
    """Return the legend of the CPU plot with the figures of now."""
    load = moment.snapshot.load if moment.snapshot else None
    if load is None:
        away = moment.snapshot and moment.snapshot.degraded
        return [("not measured while Docker is away" if away else "being measured", DIM)]
    ceiling = moment.snapshot.ceiling if moment.snapshot else None
    parts: Words = [
        ("█", "$primary"),
        (f" foreground {load.foreground:.1f}  ", ""),
        ("█", "$success"),
        (f" pilots {load.own:.1f}  ", ""),
        (f"idle {load.idle:.1f} of {load.ncpus}", DIM),
    ]
    if ceiling is not None and ceiling < load.ncpus:
        parts.append((f"  ┄ ceiling {ceiling:.1f}", WARN))
    return parts


def facts(pilot: PilotView, since: float, moment: Moment) -> list[tuple[str, str]]:
    """Return names and values of all that is known of a pilot, then its profile's settings."""
    left = "none" if pilot.ttl_left is None else format_duration(max(0.0, pilot.ttl_left - since))
    used = "-" if pilot.memory_used is None else format_size(pilot.memory_used)
    cpu = "-" if pilot.cpu is None else f"{pilot.cpu:.2f}"
    whole = "-" if pilot.efficiency is None else f"{100 * pilot.efficiency:.0f} %"
    rows = [
        ("name", pilot.name),
        ("container", pilot.id[:12]),
        ("image", pilot.image_id.removeprefix("sha256:")[:12] or "-"),
        ("profile", f"{pilot.profile}, slot {pilot.slot}, {counted(pilot.before)} before it"),
        ("last exit", pilot.last_exit or "there was none before it"),
        ("state", pilot.state + (f": {pilot.note}" if pilot.note else "")),
        ("age", format_duration(pilot.age + since)),
        ("TTL left", left),
        ("cpu now", f"{cpu} of {pilot.cpus:g} cores"),
        ("efficiency", f"{whole} of its cores since its start"),
        ("memory", f"{used} of {format_size(pilot.memory)}"),
    ]
    prefix = f"pilots[{pilot.profile}]."
    mine = [each for each in moment.settings if each.key.startswith(prefix)]
    for setting in sorted(mine, key=lambda each: not each.origin):
        usual = "" if setting.origin else " (default)"
        rows.append((f"· {setting.key.removeprefix(prefix)}", f"{setting.value}{usual}"))
    return rows


def past(pilot: PilotView | None, name: str, moment: Moment) -> Iterator[Words]:
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
