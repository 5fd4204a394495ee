"""All of one pilot."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Label, Sparkline, Static

from plancton.engine.api import EngineApi
from plancton.engine.views.snapshot import PilotView
from plancton.tui.engine_commands import EngineCommands
from plancton.tui.moment import Moment
from plancton.tui.pilot_usage import PilotUsage
from plancton.tui.screens.page import Page
from plancton.tui.screens.pilot_log import PilotLogPage
from plancton.tui.texts import pilot_decisions, pilot_facts
from plancton.tui.widgets.banner import Banner
from plancton.tui.widgets.cached_static import content


class PilotPage(Page):
    """All of one pilot: settings, curves, history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "pilot_log", "Log"),
        Binding("k", "kill", "Kill"),
        Binding("f", "freeze", "Freeze"),
    ]

    def __init__(
        self, pilot: PilotView, engine: EngineApi, commands: EngineCommands, usage: PilotUsage
    ) -> None:
        """Show *pilot*, with curves from *usage*."""
        super().__init__()
        self._pilot_id, self._pilot_name = pilot.id, pilot.name
        self._pilot: PilotView | None = pilot
        """None: it has gone."""
        self._engine, self._commands, self._usage = engine, commands, usage

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
                with VerticalScroll(id="decisions"):
                    yield Static(id="decisions-text")
        yield Footer()

    def on_mount(self) -> None:
        """Name the pilot."""
        self.query_one("#facts").border_title = Content(self._pilot_name)  # a str would be markup
        self.query_one("#decisions").border_title = "Decisions, newest first"

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        super().show_moment(moment)
        self._pilot = moment.pilot(self._pilot_id)
        text = self.query_one("#facts-text", Static)
        if self._pilot is None:
            text.update(Content(f"{self._pilot_name} has gone."))
        else:
            grid = Table.grid(padding=(0, 2))
            for name, value in pilot_facts(self._pilot, moment):
                grid.add_row(Text(name, style="dim"), Text(value, overflow="fold"))
            text.update(grid)
        self._show_usage()
        decisions = content(pilot_decisions(self._pilot, self._pilot_name, moment))
        self.query_one("#decisions-text", Static).update(decisions)

    def _show_usage(self) -> None:
        samples = self._usage.samples(self._pilot_id)
        if not samples:
            return
        cpu, memory = [each.cpu for each in samples], [each.memory for each in samples]
        self.query_one("#cpu-curve", Sparkline).data = cpu
        self.query_one("#memory-curve", Sparkline).data = memory
        self.query_one("#cpu-title", Label).update(
            f"CPU: {cpu[-1]:.2f} cores now, {max(cpu):.2f} at most"
        )
        self.query_one("#memory-title", Label).update(
            f"Memory: {memory[-1] / 1e6:,.0f} MB now, {max(memory) / 1e6:,.0f} MB at most"
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which keys mean something now: below a question only the way back."""
        return self.is_active or action == "back"

    def _pilots(self) -> list[PilotView]:
        return [self._pilot] if self._pilot else []

    def action_kill(self) -> None:
        """Kill the pilot, once that is confirmed."""
        self._commands.kill(self._pilots())

    def action_freeze(self) -> None:
        """Freeze the pilot, or let it go on."""
        self._commands.freeze_or_thaw(self._pilots())

    def action_pilot_log(self) -> None:
        """Show the pilot's own output."""
        if self._pilot:
            self.app.push_screen(PilotLogPage(self._pilot, self._engine))
        else:
            self._commands.report_no_pilot()
