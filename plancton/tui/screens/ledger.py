"""What was harvested, and what it cost."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from plancton.engine.views.text import ledger_table
from plancton.tui.moment import Moment
from plancton.tui.screens.page import Page
from plancton.tui.widgets.banner import Banner


class LedgerPage(Page):
    """What was harvested, and what it cost."""

    def compose(self) -> ComposeResult:
        """Yield the text."""
        yield Banner()
        with VerticalScroll(id="ledger"):
            yield Static(id="ledger-text")
        yield Footer()

    def on_mount(self) -> None:
        """Say what it is."""
        self.query_one("#ledger").border_title = "Ledger: what was lent, and what it cost"

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        super().show_moment(moment)
        if moment.snapshot is None:
            return
        head, rows = ledger_table(moment.snapshot.ledger)
        table = Table(box=None, pad_edge=False)
        for number, title in enumerate(head):
            table.add_column(Text(title), justify="right" if number else "left")
        for row in rows:
            table.add_row(*map(Text, row))
        self.query_one("#ledger-text", Static).update(table)
