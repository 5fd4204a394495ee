"""The pilot table without a screen: its columns, order, filter and cells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from plancton.config.units import format_duration
from plancton.engine.views.snapshot import EndedPilot, PilotView

BAR = 5
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class PilotRow:
    """One line of the table: a pilot, *since* seconds after the snapshot that shows it."""

    pilot: PilotView
    since: float = 0.0
    pending: str = ""
    """What was asked of it here and has not come about."""

    @property
    def state(self) -> str:
        """What is shown as its state."""
        return f"{self.pending}…" if self.pending else self.pilot.state

    @property
    def gone(self) -> bool:
        """Whether its container is no longer there."""
        return not self.pilot.cpus

    @property
    def age(self) -> float:
        """Seconds it exists."""
        ended = self.pilot.state == "exited"
        return self.pilot.age + (0.0 if ended else self.since)

    @property
    def left(self) -> float | None:
        """Seconds to the end of its time to live."""
        left = self.pilot.ttl_left
        return None if left is None else max(0.0, left - self.since)


Cell = Callable[[PilotRow], str]
SortKey = Callable[[PilotRow], tuple[float | str, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    title: str
    width: int
    cell: Cell
    key: SortKey
    right: bool = False
    falls: bool = False
    """Whether the largest comes first."""
    needs: int = 0
    """Width of the table from which on it is shown."""


def short(id_: str) -> str:
    """Return an ID as Docker shows it."""
    return id_[:12]


def ttl_bar(line: PilotRow, width: int = BAR) -> str:
    """Return a bar of the time that is left."""
    if line.left is None:
        return " " * width
    whole = line.age + line.left
    eighths = round(8 * width * (line.left / whole if whole else 0.0))
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(width)


def _left(line: PilotRow) -> str:
    left = "-" if line.left is None else brief(line.left)
    return f"{ttl_bar(line)} {left:>5}"


def brief(seconds: float) -> str:
    """Write a duration in at most five characters: 59s, 59m, 23h5m becomes 23h, 9d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            finer = {"d": (3600, "h"), "h": (60, "m"), "m": (1, "s")}[unit]
            part = f"{rest // finer[0]}{finer[1]}"
            return f"{whole}{unit}{part}" if whole < 10 and rest >= finer[0] else f"{whole}{unit}"
    return f"{int(seconds)}s"


def brief_size(size: float) -> str:
    """Write a size in at most six characters: 999kB, 1.2GB."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= factor:
            return f"{size / factor:.{int(size < 10 * factor)}f}{unit}"
    return f"{size / 1e3:.0f}kB"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _efficiency(line: PilotRow) -> str:
    part = line.pilot.efficiency
    return "-" if part is None else f"{100 * part:.0f}%"


def _memory(line: PilotRow) -> str:
    used = line.pilot.memory_used
    return "-" if used is None else brief_size(used)


def _order(value: float | None) -> tuple[float]:
    return (float("inf") if value is None else value,)


def _falling(value: float | None) -> tuple[float]:
    return (float("-inf") if value is None else value,)


def _figure(title: str, width: int, cell: Cell, key: SortKey) -> Column:
    return Column(title, width, cell, key, right=True, falls=True)


STATES = ("running", "starting", "frozen", "terminating", "exited")

COLUMNS: tuple[Column, ...] = (
    Column("PROFILE", 10, lambda x: x.pilot.profile, lambda x: (x.pilot.profile, x.pilot.slot)),
    Column("ID", 12, lambda x: short(x.pilot.id), lambda x: (x.pilot.id,)),
    Column("STATE", 11, lambda x: x.state, lambda x: (_rank(x.pilot.state), x.pilot.profile)),
    _figure("AGE", 6, lambda x: brief(x.age), lambda x: (x.age,)),
    Column("TTL LEFT", BAR + 6, _left, lambda x: _order(x.left)),
    _figure("CPU", 5, lambda x: _number(x.pilot.cpu), lambda x: _falling(x.pilot.cpu)),
    _figure("EFF", 4, _efficiency, lambda x: _falling(x.pilot.efficiency)),
    _figure("MEM", 6, _memory, lambda x: _falling(x.pilot.memory_used)),
    _figure("↻", 3, lambda x: str(x.pilot.before), lambda x: (x.pilot.before,)),
    Column("LAST EXIT / NOTE", 200, lambda x: note(x.pilot), lambda x: (note(x.pilot),), needs=100),
)


def _rank(state: str) -> float:
    return float(STATES.index(state)) if state in STATES else float(len(STATES))


def note(pilot: PilotView) -> str:
    """Return what is to be said of a pilot: why it is as it is, else how the last one ended."""
    return pilot.note or pilot.last_exit


def shown_columns(width: int) -> list[Column]:
    """Return the columns for which there is room."""
    return [column for column in COLUMNS if width >= column.needs]


def former(ended: EndedPilot, now: float) -> PilotView:
    """Return the line of a pilot that is gone."""
    return PilotView(
        id=ended.id,
        name=ended.name,
        profile=ended.profile,
        state="exited",
        age=ended.lifetime or 0.0,
        ttl_left=None,
        cpus=0.0,
        cpu=None,
        note=f"{format_duration(max(0.0, now - ended.ended_wall))} ago: {ended.reason}",
    )


def matches(line: PilotRow, words: str) -> bool:
    """Say whether all *words* stand somewhere in a line."""
    pilot = line.pilot
    text = " ".join((pilot.profile, pilot.id, pilot.name, line.state, note(pilot))).lower()
    return all(word in text for word in words.lower().split())


def arranged(
    pilots: Sequence[PilotView],
    since: float,
    pending: Mapping[str, str],
    words: str,
    column: Column,
    *,
    turned: bool = False,
) -> list[PilotRow]:
    """Return the lines that match *words*, in the order of a column, those that have gone last."""
    lines = [PilotRow(pilot, since, pending.get(pilot.id, "")) for pilot in pilots]
    found = [line for line in lines if matches(line, words)]
    found.sort(key=lambda line: (line.pilot.profile, line.pilot.slot, line.pilot.id))
    found.sort(key=column.key, reverse=column.falls != turned)
    found.sort(key=lambda line: line.gone)
    return found


def headline(lines: Sequence[PilotRow], total: int, marked: Collection[str], words: str) -> str:
    """Return what stands over the table."""
    states = [line.pilot.state for line in lines]
    counts = ", ".join(f"{states.count(s)} {s}" for s in STATES if s in states)
    parts = [f"{len(lines)} of {total}" if words else f"{total}", counts]
    parts += [f"{len(marked)} marked"] * bool(marked) + [f"filter: {words}"] * bool(words)
    return "Pilots: " + " · ".join(part for part in parts if part)
