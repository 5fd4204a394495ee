"""All keys."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static

from plancton.tui.screens.page import Page

HELP = (
    (
        "the node",
        (
            ("d", "drain: no new pilots, those that run go on to their end"),
            ("D", "drain, and end Plancton with the last pilot"),
            ("u", "back to work: takes drain, and drain and stop, back"),
            ("r", "read the configuration now, and fetch a remote one"),
        ),
    ),
    (
        "pilots",
        (
            ("↑ ↓ PgUp PgDn Home End", "select; so does the mouse, and the wheel scrolls"),
            ("space", "mark, for k and f; esc takes all marks back"),
            ("enter", "all of the selected pilot"),
            ("l", "its own log, as it writes"),
            ("k", "kill the marked ones, else the selected one"),
            ("K", "kill all, confirmed by typing"),
            ("f", "freeze them, or let them go on"),
            ("/", "show only lines with these words (in the log: its lines)"),
            ("s  S", "sort by the next column; turn the order round"),
            ("x", "show those that ended, too"),
        ),
    ),
    (
        "screens",
        (
            ("t", "another span of the CPU plot: 5 min, 1 h, 12 h, 1 day"),
            ("L", "the ledger: what was harvested, what it cost"),
            ("F", "all nodes that report to the same database, those in trouble first"),
            ("c", "the configuration: each value, and where it comes from"),
            ("tab", "between pilots, log and reasons"),
            (":  ctrl+p", "all commands, by name"),
            ("?", "this page"),
            ("q", "back, or end; a hosted engine is asked about first"),
        ),
    ),
)


class HelpPage(Page):
    """All keys."""

    def compose(self) -> ComposeResult:
        """Yield the table of keys."""
        grid = Table.grid(padding=(0, 2))
        for title, keys in HELP:
            grid.add_row(Text(title, style="bold underline"))
            for key, words in keys:
                grid.add_row(Text(f"  {key}", style="bold"), words)
            grid.add_row()
        with VerticalScroll(id="help"):
            yield Static(grid)
        yield Footer()

    def on_mount(self) -> None:
        """Say what it is."""
        self.query_one("#help").border_title = "Keys"
