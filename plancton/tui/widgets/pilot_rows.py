"""The pilot table without a screen: its columns, cells, filter and order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from plancton.config.units import format_duration
from plancton.engine.views.snapshot import EndedPilot, PilotView
from plancton.tui.short_units import short_duration, short_size

TTL_BAR_WIDTH = 5
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class PilotRow:
    """One row of the table: a pilot, *snapshot_age* seconds after the snapshot that shows it."""

    pilot: PilotView
    snapshot_age: float = 0.0
    pending_state: str = ""
    """What was asked of it here and has not come about."""

    @property
    def state(self) -> str:
        """What is shown as its state."""
        return f"{self.pending_state}…" if self.pending_state else self.pilot.state

    @property
    def removed(self) -> bool:
        """Whether its container is no longer there."""
        return not self.pilot.cpus

    @property
    def age(self) -> float:
        """Seconds it exists."""
        ended = self.pilot.state == "exited"
        return self.pilot.age + (0.0 if ended else self.snapshot_age)

    @property
    def ttl_left(self) -> float | None:
        """Seconds to the end of its time to live."""
        left = self.pilot.ttl_left
        return None if left is None else max(0.0, left - self.snapshot_age)


Cell = Callable[[PilotRow], str]
SortKey = Callable[[PilotRow], tuple[float | str, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    title: str
    width: int
    cell: Cell
    sort_key: SortKey
    align_right: bool = False
    largest_first: bool = False
    min_table_width: int = 0
    """Width of the table from which on it is shown."""


def short_id(id_: str) -> str:
    """Return an ID as Docker shows it."""
    return id_[:12]


def ttl_bar(row: PilotRow, width: int = TTL_BAR_WIDTH) -> str:
    """Return a bar of the time that is left."""
    if row.ttl_left is None:
        return " " * width
    whole = row.age + row.ttl_left
    eighths = round(8 * width * (row.ttl_left / whole if whole else 0.0))
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(width)


def _ttl_cell(row: PilotRow) -> str:
    left = "-" if row.ttl_left is None else short_duration(row.ttl_left)
    return f"{ttl_bar(row)} {left:>5}"


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _efficiency(row: PilotRow) -> str:
    part = row.pilot.efficiency
    return "-" if part is None else f"{100 * part:.0f}%"


def _memory(row: PilotRow) -> str:
    used = row.pilot.memory_used
    return "-" if used is None else short_size(used)


def _none_high(value: float | None) -> tuple[float]:
    return (float("inf") if value is None else value,)


def _none_low(value: float | None) -> tuple[float]:
    return (float("-inf") if value is None else value,)


def _number_column(title: str, width: int, cell: Cell, key: SortKey) -> Column:
    return Column(title, width, cell, key, align_right=True, largest_first=True)


STATES = ("running", "starting", "frozen", "terminating", "exited")

COLUMNS: tuple[Column, ...] = (
    Column("PROFILE", 10, lambda x: x.pilot.profile, lambda x: (x.pilot.profile, x.pilot.slot)),
    Column("ID", 12, lambda x: short_id(x.pilot.id), lambda x: (x.pilot.id,)),
    Column("STATE", 11, lambda x: x.state, lambda x: (_state_rank(x.pilot.state), x.pilot.profile)),
    _number_column("AGE", 6, lambda x: short_duration(x.age), lambda x: (x.age,)),
    Column("TTL LEFT", TTL_BAR_WIDTH + 6, _ttl_cell, lambda x: _none_high(x.ttl_left)),
    _number_column("CPU", 5, lambda x: _two_digits(x.pilot.cpu), lambda x: _none_low(x.pilot.cpu)),
    _number_column("EFF", 4, _efficiency, lambda x: _none_low(x.pilot.efficiency)),
    _number_column("MEM", 6, _memory, lambda x: _none_low(x.pilot.memory_used)),
    _number_column("↻", 3, lambda x: str(x.pilot.before), lambda x: (x.pilot.before,)),
    Column(
        "LAST EXIT / NOTE",
        200,
        lambda x: note(x.pilot),
        lambda x: (note(x.pilot),),
        min_table_width=100,
    ),
)


def _state_rank(state: str) -> float:
    return float(STATES.index(state)) if state in STATES else float(len(STATES))


def note(pilot: PilotView) -> str:
    """Return what is to be said of a pilot: why it is as it is, else how the last one ended."""
    return pilot.note or pilot.last_exit


def shown_columns(width: int) -> list[Column]:
    """Return the columns for which there is room."""
    return [column for column in COLUMNS if width >= column.min_table_width]


def ended_pilot(ended: EndedPilot, now: float) -> PilotView:
    """Return a pilot that is gone as one of the table."""
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


def matches(row: PilotRow, filter_text: str) -> bool:
    """Say whether all words of *filter_text* stand somewhere in a row."""
    pilot = row.pilot
    text = " ".join((pilot.profile, pilot.id, pilot.name, row.state, note(pilot))).lower()
    return all(word in text for word in filter_text.lower().split())


def filtered_and_sorted(
    pilots: Sequence[PilotView],
    snapshot_age: float,
    pending_states: Mapping[str, str],
    filter_text: str,
    column: Column,
    *,
    reverse: bool = False,
) -> list[PilotRow]:
    """Return the rows that match the filter, in the order of a column, removed ones last."""
    rows = [PilotRow(p, snapshot_age, pending_states.get(p.id, "")) for p in pilots]
    found = [row for row in rows if matches(row, filter_text)]
    found.sort(key=lambda row: (row.pilot.profile, row.pilot.slot, row.pilot.id))
    found.sort(key=column.sort_key, reverse=column.largest_first != reverse)
    found.sort(key=lambda row: row.removed)
    return found


def table_title(
    rows: Sequence[PilotRow], total: int, marked: Collection[str], filter_text: str
) -> str:
    """Return what stands over the table."""
    states = [row.pilot.state for row in rows]
    counts = ", ".join(f"{states.count(s)} {s}" for s in STATES if s in states)
    parts = [f"{len(rows)} of {total}" if filter_text else f"{total}", counts]
    parts += [f"{len(marked)} marked"] * bool(marked)
    parts += [f"filter: {filter_text}"] * bool(filter_text)
    return "Pilots: " + " · ".join(part for part in parts if part)
