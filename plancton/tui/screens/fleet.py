"""All nodes that report to the same database."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import DataTable, Footer, Static

from plancton.engine.api import EngineApi
from plancton.engine.views.fleet import Member
from plancton.engine.views.text import FLEET_HEAD, fleet_line, fleet_rows, printable
from plancton.tui.moment import Moment
from plancton.tui.screens.page import Page
from plancton.tui.stream_reader import ENGINE_ERRORS
from plancton.tui.widgets.banner import Banner
from plancton.tui.widgets.cached_static import theme_colour


class FleetPage(Page):
    """All nodes that report to this one's database, those in trouble first."""

    def __init__(self, engine: EngineApi) -> None:
        """Show what *engine* knows of the fleet, now and each ten seconds."""
        super().__init__()
        self._engine = engine
        self._fetched: tuple[Sequence[Member], str] = ((), "")
        """The nodes, and why they could not be read the last time."""
        self._shown: object = self._fetched

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
        self._refresh_fleet()
        self.set_interval(10.0, self._refresh_fleet)

    def _refresh_fleet(self) -> None:
        self.run_worker(self._fetch, thread=True, exclusive=True, exit_on_error=False)

    def _fetch(self) -> None:
        try:
            self._fetched = (self._engine.fleet(), "")
        except ENGINE_ERRORS as error:  # what was known stays, and is said to be old
            self._fetched = (self._fetched[0], str(error))

    def show_moment(self, moment: Moment) -> None:
        """Show a moment: what was read meanwhile."""
        super().show_moment(moment)
        if self._fetched is self._shown:
            return
        self._shown = self._fetched
        members, failure = self._fetched
        text = fleet_line(members, moment.now) if members else "No node has reported within a week."
        self.query_one("#fleet-state", Static).update(printable(failure or text))
        self.set_class(bool(failure), "outdated")
        table = self.query_one(DataTable)
        row, offset = table.cursor_row, table.scroll_y
        table.clear()
        bad, warn = (theme_colour(self, name) for name in ("text-error", "text-warning"))
        styles = (f"bold {bad}", f"bold {bad}", warn, "dim", "")
        for cells, member in zip(fleet_rows(members, moment.now), members, strict=True):
            style = styles[member.rank(moment.now)]
            table.add_row(*(Text(printable(cell), style=style) for cell in cells))
        table.move_cursor(row=row, scroll=False)
        table.scroll_to(y=offset, animate=False)
