"""Every value in force, and where it comes from."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import DataTable, Footer, Static

from plancton.engine.views.text import clock
from plancton.tui.moment import Moment
from plancton.tui.screens.page import Page
from plancton.tui.widgets.banner import Banner


class ConfigPage(Page):
    """Every value in force, where it comes from, and what is wrong with the newest file."""

    def compose(self) -> ComposeResult:
        """Yield the state and the table."""
        yield Banner()
        yield Static(id="config-state")
        yield DataTable[Text](id="config", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Name the columns."""
        self.query_one(DataTable).add_columns("KEY", "FROM", "VALUE")
        self.query_one(DataTable).focus()
        self._shown_settings: object = None

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        super().show_moment(moment)
        s = moment.snapshot
        if s is None:
            return
        state = f"Revision {s.config_revision}, from {s.config_source}."
        if s.remote:
            fetched = s.remote.fetched_wall
            when = f"fetched {clock(fetched)}" if fetched else "never fetched"
            state += f" Remote: {s.remote.url}, {when}."
        if s.config_error:
            state += f"\nThe newest file is refused: {s.config_error}"
        self.query_one("#config-state", Static).update(Text(state))
        if moment.settings == self._shown_settings:
            return
        self._shown_settings = moment.settings
        table = self.query_one(DataTable)
        table.clear()
        for setting in moment.settings:
            style = "bold" if setting.origin else "dim"
            cells = (setting.key, setting.origin or "default", setting.value)
            table.add_row(*(Text(cell, style=style) for cell in cells))
