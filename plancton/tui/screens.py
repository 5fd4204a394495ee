"""Screens over the main one: questions, a pilot, its log, the ledger, the configuration, help."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, DataTable, Footer, Input, Label, RichLog, Sparkline, Static

from plancton.engine.fleet import Member
from plancton.engine.words import (
    FLEET_HEAD,
    clock,
    fleet_line,
    fleet_rows,
    ledger_table,
    printable,
)
from plancton.tui.link import FAILURES
from plancton.tui.panes import Banner, colour, content
from plancton.tui.view import View, facts, past

_KEPT = 5000
_STEERING = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]")
"""Control characters, but for tabs and for escape sequences that set colours."""
Trail = deque[tuple[float, float]]
"""CPU (cores) and memory (bytes) of one pilot, oldest first."""


class Question(ModalScreen[str]):
    """A question with its answers as buttons and keys; esc is no answer."""

    def __init__(self, text: str, answers: dict[str, str]) -> None:
        """Ask *text*; the answers by their keys, the harmless one last."""
        super().__init__()
        self.text, self.answers = text, answers

    def compose(self) -> ComposeResult:
        """Yield the question and its answers."""
        with Vertical(classes="dialog"):
            yield Label(self.text, markup=False)
            with Horizontal(classes="answers"):
                for key, words in self.answers.items():
                    yield Button(f"{words} ({key})", id=f"answer-{key}")

    def on_mount(self) -> None:
        """Begin with the harmless answer."""
        self.query(Button).last().focus()

    def on_key(self, event: Key) -> None:
        """Take an answer by its key."""
        if event.key in self.answers or event.key == "escape":
            event.stop()
            self.dismiss("" if event.key == "escape" else event.key)

    @on(Button.Pressed)
    def take(self, event: Button.Pressed) -> None:
        """Take an answer by its button."""
        self.dismiss(str(event.button.id).removeprefix("answer-"))


class TypedQuestion(ModalScreen[bool]):
    """A question that is answered by typing a word."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(False)", "no")]

    def __init__(self, text: str, word: str) -> None:
        """Ask *text*, to be confirmed by *word*."""
        super().__init__()
        self.text, self.word = text, word

    def compose(self) -> ComposeResult:
        """Yield the question and a place for the word."""
        with Vertical(classes="dialog"):
            yield Label(self.text, markup=False)
            yield Input(placeholder=f"type {self.word} and press enter; esc: no")

    def on_mount(self) -> None:
        """Keep still."""
        self.query_one(Input).cursor_blink = False

    @on(Input.Submitted)
    def take(self, event: Input.Submitted) -> None:
        """Take the word, if it is the right one."""
        if event.value.strip().lower() == self.word:
            self.dismiss(True)
        else:
            event.input.value = ""


class Page(Screen[None]):
    """A screen that shows the moments as they come, until esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back"),
    ]

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()

    def show(self, view: View) -> None:
        """Show a moment."""
        for each in self.query(Banner):
            each.show(view)


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

    def show(self, view: View) -> None:
        """Show a moment."""
        super().show(view)
        pilot = view.pilot(self.pilot)
        text = self.query_one("#facts-text", Static)
        if pilot is None:
            text.update(f"{self.called} has gone.")
        else:
            grid = Table.grid(padding=(0, 2))
            for name, value in facts(pilot, view.since, view):
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
        self.query_one("#past-text", Static).update(content(past(pilot, self.called, view)))


def coloured(line: str) -> Text:
    """Return a line with its colours, and unable to steer the terminal otherwise."""
    return Text.from_ansi(_STEERING.sub("", line))


def added(old: Sequence[str], new: Sequence[str]) -> Sequence[str]:
    """Return the lines of *new* that follow the end of *old*, which it may overlap."""
    for overlap in range(min(len(old), len(new)), 0, -1):
        if list(old[-overlap:]) == list(new[:overlap]):
            return new[overlap:]
    return new


class PilotLog(Page):
    """What a pilot writes, looked at each second: a stream would hold one of the engine's few."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", "Search")]

    def __init__(self, name: str, read: Callable[[], Iterator[bytes]]) -> None:
        """Show the log of the pilot *name*; *read* returns the end of its output."""
        super().__init__()
        self.called, self._read = name, read
        self._lines: list[str] = []
        self._words, self._why = "", ""

    def compose(self) -> ComposeResult:
        """Yield the log and a place for the search."""
        yield Banner()
        yield RichLog(id="pilot-log", wrap=True, max_lines=_KEPT, min_width=20)
        yield Input(id="search", placeholder="show only lines with these words; esc: all")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read."""
        field = self.query_one("#search", Input)
        field.display = field.cursor_blink = False
        log = self.query_one(RichLog)
        log.border_title = f"{self.called}: its output"
        log.focus()
        self._look()
        self.set_interval(1.0, self._look)

    def _look(self) -> None:
        self.run_worker(self._fetch, thread=True, exclusive=True, exit_on_error=False)

    def _fetch(self) -> None:
        try:
            text = b"".join(self._read()).decode("utf-8", "replace")
        except FAILURES as error:
            self.app.call_from_thread(self._fail, str(error))
        else:
            self.app.call_from_thread(self._add, text)

    def _fail(self, why: str) -> None:
        """Say once why there is no more; a service that is lost may come back."""
        if why != self._why:
            self._write([f"[{why}]"])
        self._why = why

    def _add(self, text: str) -> None:
        self._why = ""
        lines = text.removesuffix("\n").split("\n") if text else []
        new = added(self._lines, lines)
        self._lines = [*self._lines, *new][-_KEPT:]
        self._write(new)

    def _write(self, lines: Sequence[str]) -> None:
        if self.is_attached:
            log = self.query_one(RichLog)
            follow = log.is_vertical_scroll_end
            for line in lines:
                if self._words in line.lower():
                    log.write(coloured(line), scroll_end=follow)

    def action_search(self) -> None:
        """Ask for words."""
        field = self.query_one("#search", Input)
        field.display = True
        field.focus()

    def action_back(self) -> None:
        """Show all lines again; go back if all are shown."""
        field = self.query_one("#search", Input)
        if not field.display:
            super().action_back()
            return
        field.value = ""
        field.display = False
        self.query_one(RichLog).focus()

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Show only lines with the words."""
        event.stop()  # the main screen has a search of its own
        self._words = event.value.lower()
        self.query_one(RichLog).clear()
        self._write(self._lines)

    @on(Input.Submitted)
    def done(self, event: Input.Submitted) -> None:
        """Go back to the log."""
        event.stop()
        self.query_one(RichLog).focus()


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

    def show(self, view: View) -> None:
        """Show a moment."""
        super().show(view)
        if view.snapshot is None:
            return
        head, rows = ledger_table(view.snapshot.ledger)
        table = Table(box=None, pad_edge=False)
        for number, title in enumerate(head):
            table.add_column(title, justify="right" if number else "left")
        for row in rows:
            table.add_row(*row)
        self.query_one("#ledger-text", Static).update(table)


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
        self._shown: object = None

    def show(self, view: View) -> None:
        """Show a moment."""
        super().show(view)
        s = view.snapshot
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
        if view.settings == self._shown:
            return
        self._shown = view.settings
        table = self.query_one(DataTable)
        table.clear()
        for setting in view.settings:
            style = "bold" if setting.origin else "dim"
            cells = (setting.key, setting.origin or "default", setting.value)
            table.add_row(*(Text(cell, style=style) for cell in cells))


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

    def show(self, view: View) -> None:
        """Show a moment: what was read meanwhile."""
        super().show(view)
        if self._found is self._shown:
            return
        self._shown = self._found
        members, failure = self._found
        words = fleet_line(members, view.now) if members else "No node has reported within a week."
        self.query_one("#fleet-state", Static).update(printable(failure or words))
        self.set_class(bool(failure), "gone")
        table = self.query_one(DataTable)
        row, offset = table.cursor_row, table.scroll_y
        table.clear()
        bad, warn = (colour(self, name) for name in ("text-error", "text-warning"))
        styles = (f"bold {bad}", f"bold {bad}", warn, "dim", "")
        for cells, member in zip(fleet_rows(members, view.now), members, strict=True):
            style = styles[member.rank(view.now)]
            table.add_row(*(Text(printable(cell), style=style) for cell in cells))
        table.move_cursor(row=row, scroll=False)
        table.scroll_to(y=offset, animate=False)


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
