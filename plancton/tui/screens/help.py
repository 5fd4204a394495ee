"""All keys."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from plancton.tui.keymap import HELP
from plancton.tui.screens.page import Page


class HelpPage(Page):
    """All keys."""

    def compose(self) -> ComposeResult:
        """Yield the table of keys."""
        grid = Table.grid(padding=(0, 2))
        for title, keys in HELP:
            grid.add_row(Text(title, style="bold underline"))
            for key, does in keys:
                grid.add_row(Text(f"  {key}", style="bold"), does)
            grid.add_row()
        with VerticalScroll(id="help"):
            yield Static(grid)
        yield Footer()

    def on_mount(self) -> None:
        """Say what it is."""
        self.query_one("#help").border_title = "Keys"
