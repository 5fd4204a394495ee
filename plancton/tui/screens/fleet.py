"""All nodes that report to the same database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import DataTable, Footer, Static

from plancton.engine.views.fleet import Member
from plancton.engine.views.text import (
    FLEET_HEAD,
    fleet_line,
    fleet_rows,
    printable,
)
from plancton.tui.moment import Moment
from plancton.tui.screens.page import Page
from plancton.tui.stream_reader import FAILURES
from plancton.tui.widgets.panes import Banner, colour


class FleetPage(Page):
    """All nodes that report to this one's database, those in trouble first."""

    def __init__(self, read: Callable[[], Sequence[Member]]) -> None:
        """Show what *read* returns, now and each ten seconds."""
        super().__init__()
        self._read = read
        self._found: tuple[Sequence[Member], str] = ((), "")
        self._shown: object = self._found

    def compose(self) -> ComposeResult:
        """Yield the sum and the table."""
        yield Banner()
        yield Static("asking the database ...", id="fleet-state", markup=False)
        yield DataTable[Text](id="fleet", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask."""
        self.query_one(DataTable).add_columns(*FLEET_HEAD)
        self.query_one(DataTable).focus()
        self._look()
        self.set_interval(10.0, self._look)

    def _look(self) -> None:
        self.run_worker(self._fetch, thread=True, exclusive=True, exit_on_error=False)

    def _fetch(self) -> None:
        try:
            self._found = (self._read(), "")
        except FAILURES as error:
            self._found = (
                self._found[0],
                str(error),
            )  # what was known stays, and is said to be old

    def show(self, moment: Moment) -> None:
        """Show a moment: what was read meanwhile."""
        super().show(moment)
        if self._found is self._shown:
            return
        self._shown = self._found
        members, failure = self._found
        words = (
            fleet_line(members, moment.now) if members else "No node has reported within a week."
        )
        self.query_one("#fleet-state", Static).update(printable(failure or words))
        self.set_class(bool(failure), "gone")
        table = self.query_one(DataTable)
        row, offset = table.cursor_row, table.scroll_y
        table.clear()
        bad, warn = (colour(self, name) for name in ("text-error", "text-warning"))
        styles = (f"bold {bad}", f"bold {bad}", warn, "dim", "")
        for cells, member in zip(fleet_rows(members, moment.now), members, strict=True):
            style = styles[member.rank(moment.now)]
            table.add_row(*(Text(printable(cell), style=style) for cell in cells))
        table.move_cursor(row=row, scroll=False)
        table.scroll_to(y=offset, animate=False)
