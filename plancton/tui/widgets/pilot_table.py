"""The table of pilots. Only the lines on the screen are drawn, so their number does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from plancton.engine.views.text import printable
from plancton.tui.rows import COLUMNS, Column, PilotRow, shown_columns

_MARK = 2
_HEAD = 1
_COLOURS = {
    "running": "table--running",
    "starting": "table--starting",
    "frozen": "table--frozen",
    "terminating": "table--ending",
    "exited": "table--exited",
}


class PilotTable(ScrollView, can_focus=True):
    """Shows lines, keeps the selected pilot selected wherever it goes, and marks pilots."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
        "table--asked",
        *_COLOURS.values(),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]

    class Opened(Message):
        """The selected pilot is to be shown."""

    class Sorted(Message):
        """The table is to be sorted by a column."""

        def __init__(self, column: Column) -> None:
            """Name the column."""
            super().__init__()
            self.column = column

    def __init__(self, id: str) -> None:  # noqa: A002 (as textual calls it)
        """Start empty."""
        super().__init__(id=id)
        self.lines: list[PilotRow] = []
        self.marked: set[str] = set()
        self.sort, self.turned = COLUMNS[0], False
        self.empty = ""
        self._selected = ""
        self._keys: list[object] = []

    # --- what it shows ------------------------------------------------------------------

    def show(self, lines: Sequence[PilotRow], empty: str) -> None:
        """Show *lines*, or words if there are none; selection, marks and scroll stay."""
        seen = self._row_is_visible()
        old = self.row
        self.lines, self.empty = list(lines), empty
        self.marked &= {line.pilot.id for line in lines}
        if self.lines and self.row is None:
            # The selected one has gone: the one that took its place is next.
            self._selected = self.lines[min(old or 0, len(self.lines) - 1)].pilot.id
        self.virtual_size = Size(self.size.width, len(self.lines) + _HEAD)
        if seen:
            self._follow()
        self._refresh_changes()

    def _refresh_changes(self) -> None:
        """Draw only the lines that are not as they were: a terminal may be far away."""
        keys = [self._key(y) for y in range(self.size.height)]
        if len(keys) != len(self._keys):
            self.refresh()
        else:
            width = self.size.width
            for y, (new, old) in enumerate(zip(keys, self._keys, strict=True)):
                if new != old:
                    self.refresh(Region(0, y, width, 1))
        self._keys = keys

    def _key(self, y: int) -> object:
        """Return all that decides how a line of the screen looks."""
        row = round(self.scroll_y) + y - _HEAD
        if y == 0 or row >= len(self.lines):
            return self.sort.title, self.turned, "" if self.lines else self.empty
        line = self.lines[row]
        id_ = line.pilot.id
        cells = tuple(column.cell(line) for column in self._columns())
        return cells, line.state, id_ == self._selected, id_ in self.marked

    @property
    def row(self) -> int | None:
        """Where the selected pilot is; None: it is not there."""
        places = (n for n, line in enumerate(self.lines) if line.pilot.id == self._selected)
        return next(places, None)

    @property
    def selected(self) -> PilotRow | None:
        """The selected line; None: there is none."""
        row = self.row
        return None if row is None else self.lines[row]

    def chosen(self) -> list[PilotRow]:
        """Return the marked lines, else the selected one."""
        marked = [line for line in self.lines if line.pilot.id in self.marked]
        selected = self.selected
        return marked or ([selected] if selected else [])

    def mark(self) -> None:
        """Mark the selected pilot, or take its mark back, and go on to the next."""
        if self._selected:
            self.marked ^= {self._selected}
            self.action_move(1)

    # --- moving about -------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Select the pilot so many lines further."""
        if self.lines:
            row = min(max((self.row or 0) + by, 0), len(self.lines) - 1)
            self._selected = self.lines[row].pilot.id
            self._follow()
            self.refresh()

    def action_page(self, by: int) -> None:
        """Go a page further."""
        self.action_move(by * max(1, self.size.height - _HEAD - 1))

    def _row_is_visible(self) -> bool:
        row = self.row
        top = round(self.scroll_y)
        return row is not None and top <= row < top + self.size.height - _HEAD

    def _follow(self) -> None:
        row = self.row
        if row is not None:
            region = Region(0, row, 1, 1 + _HEAD)
            self.scroll_to_region(region, animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """Select a pilot, open it by a second click; sort by a column's head."""
        if event.y == 0:
            at = event.x - _MARK
            for column in self._columns():
                if at < column.width:
                    self.post_message(self.Sorted(column))
                    return
                at -= column.width + 1
            return
        row = round(self.scroll_y) + event.y - _HEAD
        if row < len(self.lines):
            self._selected = self.lines[row].pilot.id
            self.refresh()
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Fit the width."""
        self.virtual_size = Size(self.size.width, len(self.lines) + _HEAD)

    # --- drawing ------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.size.width
        if y == 0:
            return self._head(width)
        row = round(self.scroll_y) + y - _HEAD
        if row >= len(self.lines):
            text = self.empty if not self.lines else ""
            return self._words(text, y, width)
        return self._line(self.lines[row], width)

    def _columns(self) -> list[Column]:
        return shown_columns(self.size.width)

    def _words(self, text: str, y: int, width: int) -> Strip:
        """Draw a part of the words that stand in place of an empty table."""
        room = max(10, width - 4)
        words, parts = printable(text).split(), [""]
        for word in words:
            if len(parts[-1]) + len(word) >= room:
                parts.append("")
            parts[-1] += f" {word}"
        line = parts[y - 2] if 0 <= y - 2 < len(parts) else ""
        return Strip([Segment(line, self.rich_style)]).adjust_cell_length(width, self.rich_style)

    def _head(self, width: int) -> Strip:
        style = self.get_component_rich_style("table--head")
        arrow = "▼" if self.sort.falls != self.turned else "▲"
        cells = []
        for column in self._columns():
            title = column.title
            if column is self.sort:
                title = title[: column.width - 1] + arrow
            cells.append(title.rjust(column.width) if column.right else title.ljust(column.width))
        text = " " * _MARK + " ".join(cells)
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)

    def _line(self, line: PilotRow, width: int) -> Strip:
        base = self.rich_style
        if line.pilot.id == self._selected:
            base += self.get_component_rich_style("table--cursor", partial=True)
        marked = line.pilot.id in self.marked
        segments = [Segment("✓ " if marked else "  ", base + Style(bold=True))]
        for column in self._columns():
            text = printable(column.cell(line))[: column.width]
            cell = text.rjust(column.width) if column.right else text.ljust(column.width)
            style = base
            if column.title in ("STATE", "TTL LEFT"):
                name = "table--asked" if line.pending else _COLOURS.get(line.pilot.state, "")
                if name:
                    style = base + self.get_component_rich_style(name, partial=True)
            segments.append(Segment(f"{cell} ", style))
        return Strip(segments).adjust_cell_length(width, base)
