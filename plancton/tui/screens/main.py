"""The main screen: the node's state, its pilots and the log, and the keys for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Label

from plancton.engine.api import EngineApi
from plancton.engine.views.snapshot import PilotView, Snapshot
from plancton.tui.engine_commands import EngineCommands
from plancton.tui.keymap import MAIN_BINDINGS
from plancton.tui.moment import Moment
from plancton.tui.pilot_usage import PilotUsage
from plancton.tui.screens.pilot import PilotPage
from plancton.tui.screens.pilot_log import PilotLogPage
from plancton.tui.texts import empty_table
from plancton.tui.widgets.banner import Banner
from plancton.tui.widgets.cpu_pane import CpuPane
from plancton.tui.widgets.log_pane import LogPane
from plancton.tui.widgets.node_header import NodeHeader
from plancton.tui.widgets.pilot_rows import (
    Column,
    ended_pilot,
    filtered_and_sorted,
    shown_columns,
    table_title,
)
from plancton.tui.widgets.pilot_table import PilotTable
from plancton.tui.widgets.reasons_pane import ReasonsPane


class MainScreen(Screen[None]):
    """Panes, the table of pilots with its filter, and the log."""

    AUTO_FOCUS = "#pilots"
    BINDINGS: ClassVar[list[BindingType]] = MAIN_BINDINGS

    class Composed(Message):
        """There is something to draw on."""

    def __init__(
        self,
        engine: EngineApi,
        commands: EngineCommands,
        usage: PilotUsage,
        redraw: Callable[[], None],
        *,
        span: str,
    ) -> None:
        """Show what *redraw* brings; *span* is the first one of the CPU plot."""
        super().__init__()
        self._engine, self._commands, self._usage = engine, commands, usage
        self._redraw, self._first_span = redraw, span
        self._snapshot: Snapshot | None = None
        self.filter_text = ""
        self.show_ended = False

    def compose(self) -> ComposeResult:
        """Yield all panes."""
        yield NodeHeader(id="header")
        yield Banner(id="banner")
        with Vertical(id="body"):
            with Horizontal(id="top"):
                yield CpuPane(id="cpu", span=self._first_span)
                yield ReasonsPane(id="reasons")
            yield Label("Pilots", id="table-title", markup=False)
            yield PilotTable(id="pilots")
            yield Input(id="filter", placeholder="show only lines with these words; esc: all")
            yield LogPane(id="log")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Hide what is not needed yet."""
        field = self.query_one("#filter", Input)
        field.display = field.cursor_blink = False
        self.post_message(self.Composed())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say whether this screen's own keys mean something now: not below another one."""
        return self.is_active

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        self._snapshot = moment.snapshot
        self.set_class(moment.outdated, "outdated")
        self.query_one(NodeHeader).show_moment(moment)
        self.query_one(Banner).show_moment(moment)
        self.query_one(CpuPane).show_moment(moment)
        self.query_one(ReasonsPane).show_moment(moment)
        self._show_pilots(moment)

    def _show_pilots(self, moment: Moment) -> None:
        table = self.query_one(PilotTable)
        pilots = list(moment.snapshot.pilots) if moment.snapshot else []
        if self.show_ended and moment.snapshot:
            pilots += [ended_pilot(each, moment.now) for each in reversed(moment.snapshot.ended)]
        rows = filtered_and_sorted(
            pilots,
            0.0 if moment.outdated else moment.snapshot_age,
            moment.pending_states,
            self.filter_text,
            table.sort_column,
            reverse=table.reverse,
        )
        table.show_rows(rows, empty_table(moment, self.filter_text))
        title = table_title(rows, len(pilots), table.marked, self.filter_text)
        self.query_one("#table-title", Label).update(title)

    # --- the chosen pilots --------------------------------------------------------------

    def _chosen_pilots(self) -> list[PilotView]:
        """Return the marked pilots, else the selected one: those that are there."""
        rows = self.query_one(PilotTable).marked_or_selected()
        return [row.pilot for row in rows if row.pilot.state != "exited"]

    def _selected_pilot(self) -> PilotView | None:
        """Return the selected pilot; None: it is not there, which is reported."""
        row = self.query_one(PilotTable).selected
        if row and row.pilot.state != "exited":
            return row.pilot
        self._commands.report_no_pilot()
        return None

    def action_kill(self) -> None:
        """Kill the marked pilots, else the selected one, once that is confirmed."""
        self._commands.kill(self._chosen_pilots())

    def action_kill_all(self) -> None:
        """Kill all pilots, once that is typed."""
        self._commands.kill_all(self._snapshot)

    def action_freeze(self) -> None:
        """Freeze the chosen pilots, or let them go on if all of them are frozen."""
        self._commands.freeze_or_thaw(self._chosen_pilots())

    @on(PilotTable.PilotOpened)
    def action_pilot(self) -> None:
        """Show all of the selected pilot."""
        pilot = self._selected_pilot()
        if pilot:
            page = PilotPage(pilot, self._engine, self._commands, self._usage)
            self.app.push_screen(page)
            self.call_after_refresh(self._redraw)

    def action_pilot_log(self) -> None:
        """Show the selected pilot's own output."""
        pilot = self._selected_pilot()
        if pilot:
            self.app.push_screen(PilotLogPage(pilot, self._engine))

    # --- what is shown of them, and how -------------------------------------------------

    def action_mark(self) -> None:
        """Mark the selected pilot."""
        self.query_one(PilotTable).toggle_mark()
        self._redraw()

    def action_sort(self) -> None:
        """Sort by the next column."""
        table = self.query_one(PilotTable)
        columns = shown_columns(table.size.width)
        place = columns.index(table.sort_column) if table.sort_column in columns else -1
        self._sort_by(columns[(place + 1) % len(columns)])

    @on(PilotTable.HeadClicked)
    def sort_by_clicked(self, event: PilotTable.HeadClicked) -> None:
        """Sort by a column that was clicked."""
        self._sort_by(event.column)

    def _sort_by(self, column: Column) -> None:
        table = self.query_one(PilotTable)
        table.reverse = column is table.sort_column and not table.reverse
        table.sort_column = column
        self._redraw()

    def action_reverse(self) -> None:
        """Turn the order round."""
        table = self.query_one(PilotTable)
        table.reverse = not table.reverse
        self._redraw()

    def action_ended(self) -> None:
        """Show, or hide, pilots that ended."""
        self.show_ended = not self.show_ended
        self._redraw()

    def action_span(self) -> None:
        """Show another span of time."""
        self.query_one(CpuPane).next_span()
        self._redraw()

    # --- the filter, of the table or the log --------------------------------------------

    def action_filter(self) -> None:
        """Ask for words to filter pilots by, or the log if that has the focus."""
        field, log = self.query_one("#filter", Input), self.query_one(LogPane)
        field.set_class(log.has_focus, "for-log")
        field.value = log.filter_text if log.has_focus else self.filter_text
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def filter_changed(self, event: Input.Changed) -> None:
        """Filter while words are typed."""
        if event.input.has_class("for-log"):
            self.query_one(LogPane).filter(event.value)
        elif event.input.display:
            self.filter_text = event.value.strip()
        self._redraw()

    @on(Input.Submitted, "#filter")
    def filter_submitted(self, event: Input.Submitted) -> None:
        """Go back to what is filtered."""
        event.input.display = False
        self.query_one("#log" if event.input.has_class("for-log") else PilotTable).focus()

    def action_clear(self) -> None:
        """Take filter and marks back."""
        field, table = self.query_one("#filter", Input), self.query_one(PilotTable)
        log = self.query_one(LogPane)
        filters_log = log.has_focus or (field.display and field.has_class("for-log"))
        field.display = False
        if filters_log:
            log.filter("")
        else:
            self.filter_text = ""
            table.marked.clear()
        table.focus()
        self._redraw()
