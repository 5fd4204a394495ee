"""All of one pilot."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Footer, Label, Sparkline, Static

from plancton.tui.moment import Moment, facts, past
from plancton.tui.screens.page import Page
from plancton.tui.widgets.panes import Banner, content

Trail = deque[tuple[float, float]]
"""CPU (cores) and memory (bytes) of one pilot, oldest first."""


class PilotPage(Page):
    """All of one pilot: settings, curves, history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "app.pilot_log", "Log"),
        Binding("k", "app.kill", "Kill"),
        Binding("f", "app.freeze", "Freeze/thaw"),
    ]

    def __init__(self, id_: str, name: str, trail: Callable[[], Trail]) -> None:
        """Show the pilot of an ID; *trail* returns its curves."""
        super().__init__()
        self.pilot, self.called, self.trail = id_, name, trail

    def compose(self) -> ComposeResult:
        """Yield facts on the left, curves and history on the right."""
        yield Banner()
        with Horizontal():
            with VerticalScroll(id="facts"):
                yield Static(id="facts-text")
            with Vertical(id="curves"):
                yield Label("CPU, cores", id="cpu-title")
                yield Sparkline([], id="cpu-curve")
                yield Label("Memory", id="memory-title")
                yield Sparkline([], id="memory-curve")
                with VerticalScroll(id="past"):
                    yield Static(id="past-text")
        yield Footer()

    def on_mount(self) -> None:
        """Name the pilot."""
        self.query_one("#facts").border_title = self.called
        self.query_one("#past").border_title = "Decisions, newest first"

    def show(self, moment: Moment) -> None:
        """Show a moment."""
        super().show(moment)
        pilot = moment.pilot(self.pilot)
        text = self.query_one("#facts-text", Static)
        if pilot is None:
            text.update(f"{self.called} has gone.")
        else:
            grid = Table.grid(padding=(0, 2))
            for name, value in facts(pilot, moment.since, moment):
                grid.add_row(Text(name, style="dim"), Text(value, overflow="fold"))
            text.update(grid)
        points = list(self.trail())
        if points:
            cpu, memory = zip(*points, strict=True)
            self.query_one("#cpu-curve", Sparkline).data = cpu
            self.query_one("#memory-curve", Sparkline).data = memory
            self.query_one("#cpu-title", Label).update(
                f"CPU: {cpu[-1]:.2f} cores now, {max(cpu):.2f} at most"
            )
            self.query_one("#memory-title", Label).update(
                f"Memory: {memory[-1] / 1e6:,.0f} MB now, {max(memory) / 1e6:,.0f} MB at most"
            )
        self.query_one("#past-text", Static).update(content(past(pilot, self.called, moment)))
