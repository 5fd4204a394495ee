"""The table of pilots. Only the rows on the screen are drawn, so their number does not matter."""

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
from plancton.tui.widgets.pilot_rows import COLUMNS, Column, PilotRow, shown_columns

_MARK_WIDTH = 2
_HEAD_HEIGHT = 1
_STATE_STYLES = {
    "running": "table--running",
    "starting": "table--starting",
    "frozen": "table--frozen",
    "terminating": "table--terminating",
    "exited": "table--exited",
}


class PilotTable(ScrollView, can_focus=True):
    """Shows rows, keeps the selected pilot selected wherever it goes, and marks pilots."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
        "table--pending",
        *_STATE_STYLES.values(),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]

    class PilotOpened(Message):
        """The selected pilot is to be shown."""

    class HeadClicked(Message):
        """The table is to be sorted by a column."""

        def __init__(self, column: Column) -> None:
            """Name the column."""
            super().__init__()
            self.column = column

    def __init__(self, id: str) -> None:  # noqa: A002 (as textual calls it)
        """Start empty."""
        super().__init__(id=id)
        self.rows: list[PilotRow] = []
        self.marked: set[str] = set()
        self.sort_column, self.reverse = COLUMNS[0], False
        self.empty_text = ""
        self._selected_id = ""
        self._drawn: list[object] = []
        """What decided how each line of the screen looks."""

    # --- what it shows ------------------------------------------------------------------

    def show_rows(self, rows: Sequence[PilotRow], empty_text: str) -> None:
        """Show *rows*, or *empty_text* if there are none; selection, marks and scroll stay."""
        was_visible = self._cursor_is_visible()
        old = self.cursor_row
        self.rows, self.empty_text = list(rows), empty_text
        self.marked &= {row.pilot.id for row in rows}
        if self.rows and self.cursor_row is None:
            # The selected one has gone: the one that took its place is next.
            self._selected_id = self.rows[min(old or 0, len(self.rows) - 1)].pilot.id
        self.virtual_size = Size(self.size.width, len(self.rows) + _HEAD_HEIGHT)
        if was_visible:
            self._scroll_to_cursor()
        self._refresh_changes()

    def _refresh_changes(self) -> None:
        """Draw only the lines that are not as they were: a terminal may be far away."""
        drawn = [self._line_key(y) for y in range(self.size.height)]
        if len(drawn) != len(self._drawn):
            self.refresh()
        else:
            width = self.size.width
            for y, (new, old) in enumerate(zip(drawn, self._drawn, strict=True)):
                if new != old:
                    self.refresh(Region(0, y, width, 1))
        self._drawn = drawn

    def _line_key(self, y: int) -> object:
        """Return all that decides how a line of the screen looks."""
        index = round(self.scroll_y) + y - _HEAD_HEIGHT
        if y == 0 or index >= len(self.rows):
            return self.sort_column.title, self.reverse, "" if self.rows else self.empty_text
        row = self.rows[index]
        id_ = row.pilot.id
        cells = tuple(column.cell(row) for column in self._columns())
        return cells, row.state, id_ == self._selected_id, id_ in self.marked

    @property
    def cursor_row(self) -> int | None:
        """The number of the selected row; None: there is none."""
        places = (n for n, row in enumerate(self.rows) if row.pilot.id == self._selected_id)
        return next(places, None)

    @property
    def selected(self) -> PilotRow | None:
        """The selected row; None: there is none."""
        index = self.cursor_row
        return None if index is None else self.rows[index]

    def marked_or_selected(self) -> list[PilotRow]:
        """Return the marked rows, else the selected one."""
        marked = [row for row in self.rows if row.pilot.id in self.marked]
        selected = self.selected
        return marked or ([selected] if selected else [])

    def toggle_mark(self) -> None:
        """Mark the selected pilot, or take its mark back, and go on to the next."""
        if self._selected_id:
            self.marked ^= {self._selected_id}
            self.action_move(1)

    # --- moving about -------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Select the pilot so many lines further."""
        if self.rows:
            index = min(max((self.cursor_row or 0) + by, 0), len(self.rows) - 1)
            self._selected_id = self.rows[index].pilot.id
            self._scroll_to_cursor()
            self.refresh()

    def action_page(self, by: int) -> None:
        """Go a page further."""
        self.action_move(by * max(1, self.size.height - _HEAD_HEIGHT - 1))

    def _cursor_is_visible(self) -> bool:
        index = self.cursor_row
        top = round(self.scroll_y)
        return index is not None and top <= index < top + self.size.height - _HEAD_HEIGHT

    def _scroll_to_cursor(self) -> None:
        index = self.cursor_row
        if index is not None:
            region = Region(0, index, 1, 1 + _HEAD_HEIGHT)
            self.scroll_to_region(region, animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """Select a pilot, open it by a second click; sort by a column's head."""
        if event.y == 0:
            at = event.x - _MARK_WIDTH
            for column in self._columns():
                if at < column.width:
                    self.post_message(self.HeadClicked(column))
                    return
                at -= column.width + 1
            return
        index = round(self.scroll_y) + event.y - _HEAD_HEIGHT
        if index < len(self.rows):
            self._selected_id = self.rows[index].pilot.id
            self.refresh()
            if event.chain == 2:
                self.post_message(self.PilotOpened())

    def on_resize(self) -> None:
        """Fit the width."""
        self.virtual_size = Size(self.size.width, len(self.rows) + _HEAD_HEIGHT)

    # --- drawing ------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.size.width
        if y == 0:
            return self._head_line(width)
        index = round(self.scroll_y) + y - _HEAD_HEIGHT
        if index >= len(self.rows):
            text = self.empty_text if not self.rows else ""
            return self._empty_line(text, y, width)
        return self._row_line(self.rows[index], width)

    def _columns(self) -> list[Column]:
        return shown_columns(self.size.width)

    def _empty_line(self, text: str, y: int, width: int) -> Strip:
        """Draw a part of the words that stand in place of an empty table."""
        room = max(10, width - 4)
        words, parts = printable(text).split(), [""]
        for word in words:
            if len(parts[-1]) + len(word) >= room:
                parts.append("")
            parts[-1] += f" {word}"
        line = parts[y - 2] if 0 <= y - 2 < len(parts) else ""
        return Strip([Segment(line, self.rich_style)]).adjust_cell_length(width, self.rich_style)

    def _head_line(self, width: int) -> Strip:
        style = self.get_component_rich_style("table--head")
        arrow = "▼" if self.sort_column.largest_first != self.reverse else "▲"
        cells = []
        for column in self._columns():
            title = column.title
            if column is self.sort_column:
                title = title[: column.width - 1] + arrow
            cells.append(_aligned(title, column))
        text = " " * _MARK_WIDTH + " ".join(cells)
        return Strip([Segment(text, style)]).adjust_cell_length(width, style)

    def _row_line(self, row: PilotRow, width: int) -> Strip:
        base = self.rich_style
        if row.pilot.id == self._selected_id:
            base += self.get_component_rich_style("table--cursor", partial=True)
        marked = row.pilot.id in self.marked
        name = "table--pending" if row.pending_state else _STATE_STYLES.get(row.pilot.state, "")
        segments = [Segment("✓ " if marked else "  ", base + Style(bold=True))]
        for column in self._columns():
            cell = _aligned(printable(column.cell(row))[: column.width], column)
            style = base
            if name and column.title in ("STATE", "TTL LEFT"):
                style = base + self.get_component_rich_style(name, partial=True)
            segments.append(Segment(f"{cell} ", style))
        return Strip(segments).adjust_cell_length(width, base)


def _aligned(text: str, column: Column) -> str:
    return text.rjust(column.width) if column.align_right else text.ljust(column.width)
