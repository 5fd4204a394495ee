"""The program: it listens to an engine, shows it, and passes on what is asked."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import ClassVar, Protocol

from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Footer, Input, Label

from plancton.config.effective import Setting
from plancton.engine.api import EngineApi, RefusedError
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.records.history import History
from plancton.engine.views import text as words
from plancton.engine.views.snapshot import Snapshot
from plancton.tui import pending_requests as pending
from plancton.tui.moment import Moment, nothing
from plancton.tui.pending_requests import Level
from plancton.tui.plot import SPANS
from plancton.tui.rows import COLUMNS, PilotRow, arranged, former, headline, shown_columns
from plancton.tui.screens.config import ConfigPage
from plancton.tui.screens.fleet import FleetPage
from plancton.tui.screens.help import HelpPage
from plancton.tui.screens.ledger import LedgerPage
from plancton.tui.screens.page import Page
from plancton.tui.screens.pilot_log import PilotLog
from plancton.tui.screens.pilot_page import PilotPage, Trail
from plancton.tui.screens.question import Question, TypedQuestion
from plancton.tui.stream_reader import FAILURES, StreamReader
from plancton.tui.widgets.panes import Banner, CpuPane, Head, LogPane, WhyPane
from plancton.tui.widgets.pilot_table import PilotTable

_BEAT = 1.0
_SETTINGS_EVERY = 30
"""Beats between two looks at the configuration."""
_TRAIL, _TRAIL_STEP = 240, 1.0
_KILL_ALL = "kill all"
THEMES = {
    "dark": Theme(
        name="dark",
        primary="#5aa9e6",
        success="#7fc96b",
        warning="#f2b84b",
        error="#f26d6d",
        accent="#c79bf2",
        background="#101418",
        surface="#161c22",
        panel="#222b34",
    ),
    "light": Theme(
        name="light",
        primary="#1f6fb2",
        success="#3c8f2f",
        warning="#9a6700",
        error="#c62828",
        accent="#7b3fb5",
        background="#fafafa",
        surface="#f0f2f4",
        panel="#dfe4e9",
        dark=False,
    ),
}


class Host(Protocol):
    """The engine that this program hosts."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    @property
    def failure(self) -> str:
        """Why it died; empty: it did not."""

    def leave(self) -> None:
        """End it, and leave its pilots."""

    def drain(self) -> None:
        """End it with its last pilot."""

    def kill(self) -> None:
        """Ask the pilots to go, and end it with the last."""

    def hang_up(self) -> None:
        """End it as is configured for SIGTERM: nobody is here to be asked."""


class Moved(Message):
    """The link has heard something."""


class PlanctonApp(App[None]):
    """One engine on one terminal."""

    TITLE = "Plancton"
    CSS_PATH = "plancton.tcss"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (as textual declares it)
        (0, "-narrow"),
        (78, "-normal"),
        (120, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny"),
        (14, "-short"),
        (22, "-medium"),
        (36, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "order('draining')", "Drain"),
        Binding("D", "order('stopping')", "Drain+stop", show=False),
        Binding("u", "order('active')", "Resume"),
        Binding("k", "kill", "Kill"),
        Binding("K", "kill_all", "Kill all", show=False),
        Binding("f", "freeze", "Freeze"),
        Binding("r", "reload", "Reload", show=False),
        Binding("l", "pilot_log", "Log"),
        Binding("enter", "pilot", "Detail"),
        Binding("space", "mark", "Mark", show=False),
        Binding("slash", "search", "Filter"),
        Binding("s", "sort", "Sort", show=False),
        Binding("S", "turn", "Turn order", show=False),
        Binding("x", "former", "Ended ones", show=False),
        Binding("t", "span", "Time span", show=False),
        Binding("L", "ledger", "Ledger", show=False),
        Binding("F", "fleet", "Fleet", show=False),
        Binding("c", "config", "Config", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("colon,ctrl+p", "command_palette", "Commands", show=False),
        Binding("escape", "clear", "Clear", show=False),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        handle: EngineApi,
        place: str,
        *,
        host: Host | None = None,
        readonly: bool = False,
        theme: str = "dark",
        span: str = "5 min",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Show the engine of *handle*, which is held as *place* says.

        *host* is there if it runs in this process. *span* is the first one of the
        CPU plot; *clock* is the wall clock.
        """
        super().__init__()
        self.handle, self.host, self.readonly, self.clock = handle, host, readonly, clock
        self.place, self.span = place, span
        self.stream_reader = StreamReader(handle, self._moved)
        self.agenda = pending.PendingRequests()
        self.snapshot: Snapshot | None = None
        self.lost, self.leaving = "", False
        self.past, self.values = History(), tuple[Setting, ...]()
        self.words, self.with_former = "", False
        self._trails: dict[str, Trail] = {}
        self._trail_at = 0.0
        self._beats = 0
        for each in THEMES.values():
            self.register_theme(each)
        self.theme = theme

    # --- life ---------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Yield the main screen."""
        yield Head(id="head")
        yield Banner(id="banner")
        with Vertical(id="body"):
            with Horizontal(id="top"):
                yield CpuPane(id="cpu")
                yield WhyPane(id="why")
            yield Label("Pilots", id="headline", markup=False)
            yield PilotTable(id="pilots")
            yield Input(id="search", placeholder="show only lines with these words; esc: all")
            yield LogPane(id="log")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to listen."""
        field = self.query_one("#search", Input)
        field.display = field.cursor_blink = False
        self.query_one(PilotTable).focus()
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._hung_up)
            loop.add_signal_handler(signal.SIGTERM, self._told_to_end)
        self.stream_reader.start()
        self._look_back()
        self.set_interval(_BEAT, self._beat)
        self._draw()

    def _beat(self) -> None:
        self._beats += 1
        if self.host and self.host.over and not self.host.failure:
            self.exit(message="Plancton ended, as it was asked.")
            return
        self._look_back()
        self._draw()

    def on_unmount(self) -> None:
        """Stop listening."""
        self.stream_reader.over.set()

    def _hung_up(self) -> None:
        """End without a terminal: nothing can be shown or asked any more."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            with suppress(OSError):
                os.dup2(nowhere, number)
        self._told_to_end()

    def _told_to_end(self) -> None:
        if self.host:
            self.host.hang_up()
        self.exit()

    # --- what is heard ------------------------------------------------------------------

    def _moved(self) -> None:
        self.post_message(Moved())

    @on(Moved)
    def take(self) -> None:
        """Take what the link has heard."""
        heard, log = self.stream_reader.take(), self.query_one("#log", LogPane)
        if heard.snapshot is not None:
            if self.snapshot is None or self.lost:
                log.begin(heard.snapshot.events)
            before, self.snapshot = self.snapshot, heard.snapshot
            if before and before.config_revision != heard.snapshot.config_revision:
                self.values = ()
            self._trace(heard.snapshot)
            for said in self.agenda.look(heard.snapshot, self.clock()):
                self._say(said.text, said.level)
        log.add(heard.records)
        if heard.lost_records:
            log.note(self.clock(), f"{heard.lost_records} lines came too fast and were skipped")
        if heard.lost is not None and bool(heard.lost) != bool(self.lost):
            word = f"connection lost: {heard.lost}" if heard.lost else "connected again"
            log.note(self.clock(), word, "ERROR" if heard.lost else "INFO")
        self.lost = self.lost if heard.lost is None else heard.lost
        self._draw()

    def _trace(self, snapshot: Snapshot) -> None:
        if snapshot.wall - self._trail_at < _TRAIL_STEP:
            return
        self._trail_at = snapshot.wall
        old = self._trails
        self._trails = {}
        for pilot in snapshot.pilots:
            trail = self._trails[pilot.id] = old.get(pilot.id) or deque(maxlen=_TRAIL)
            trail.append((pilot.cpu or 0.0, float(pilot.memory_used or 0)))

    def _look_back(self) -> None:
        """Have history and configuration asked for."""
        if not self.lost:
            self.run_worker(self._past, thread=True, exclusive=True, group="past")

    def _past(self) -> None:
        with suppress(*FAILURES):
            self.past = self.handle.history()
            stale = self._beats % _SETTINGS_EVERY == 0
            if stale or not self.values:
                self.values = self.handle.settings()

    # --- what is shown ------------------------------------------------------------------

    @property
    def moment(self) -> Moment:
        """What there is to show now."""
        return Moment(
            place=self.place,
            snapshot=self.snapshot,
            now=self.clock(),
            lost=self.lost,
            dead=self.host.failure if self.host else "",
            leaving=self.leaving,
            readonly=self.readonly,
            history=self.past,
            span=self.span,
            settings=self.values,
            pending=self.agenda.pilots(),
        )

    def _draw(self) -> None:
        """Show this moment on every screen that lies open."""
        if not self.is_running or not self.screen_stack:
            return
        moment, main = self.moment, self.screen_stack[0]
        main.set_class(moment.gone, "gone")
        main.query_one(Head).show(moment)
        main.query_one(Banner).show(moment)
        main.query_one(CpuPane).show(moment)
        main.query_one(WhyPane).show(moment)
        self._draw_table(moment, main)
        for screen in self.screen_stack[1:]:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.set_class(moment.gone, "gone")
                screen.show(moment)

    def _draw_table(self, moment: Moment, main: Screen[object]) -> None:
        table = main.query_one(PilotTable)
        pilots = list(moment.snapshot.pilots) if moment.snapshot else []
        if self.with_former and moment.snapshot:
            pilots += [former(each, moment.now) for each in reversed(moment.snapshot.ended)]
        turned, since = table.turned, 0.0 if moment.gone else moment.since
        lines = arranged(pilots, since, moment.pending, self.words, table.sort, turned=turned)
        table.show(lines, nothing(moment, self.words))
        text = headline(lines, len(pilots), table.marked, self.words)
        main.query_one("#headline", Label).update(text)

    def on_resize(self) -> None:
        """Draw anew, once all parts have their new sizes."""
        self.call_after_refresh(self._draw)

    # --- what is asked ------------------------------------------------------------------

    def _say(self, text: str, level: Level = "information", timeout: float = 5) -> None:
        """Pop up a word; brackets in it are only brackets."""
        self.notify(text, severity=level, timeout=timeout, markup=False)

    def _ask(self, wanted: pending.PendingRequest, call: Callable[[], object]) -> None:
        """Ask the engine something, say so at once, and remember it until it came about."""
        if self.readonly:
            self._say(f"read-only: {wanted.what} was not asked", "warning")
            return
        self.agenda.add(wanted)
        self._say(f"asked: {wanted.what}", timeout=2)
        self._draw()
        self.run_worker(partial(self._call, wanted, call), thread=True, group="ask")

    def _call(self, wanted: pending.PendingRequest, call: Callable[[], object]) -> None:
        try:
            call()
        except FAILURES as error:
            self.call_from_thread(self._refused, wanted, str(error))

    def _refused(self, wanted: pending.PendingRequest, why: str) -> None:
        self.agenda.drop(wanted)
        self._say(f"{wanted.what}: {why}", "error", timeout=10)
        self._draw()

    def _command_pilots(self, wanted: PilotCommand, names: dict[str, str]) -> None:
        def call() -> None:
            refused = []
            for id_ in names:
                try:
                    self.handle.command_pilot(id_, wanted)
                except RefusedError as error:  # that one has gone; the others are still meant
                    refused.append(str(error))
            if len(refused) == len(names):
                raise RefusedError(refused[0])

        self.query_one(PilotTable).marked.clear()
        self._ask(pending.command_pilot(names, wanted, self.clock()), call)

    def action_order(self, mode: str) -> None:
        """Ask for a mode of the node."""
        wanted = Mode(mode)
        self._ask(pending.order(wanted, self.clock()), partial(self.handle.order, wanted))

    def action_reload(self) -> None:
        """Have the configuration read."""
        if self.snapshot:
            self._ask(pending.reload(self.snapshot, self.clock()), self.handle.reload)

    def action_kill(self) -> None:
        """Kill the marked pilots, else the selected one, once that is confirmed."""
        names = self._chosen()
        if not names:
            self._nobody()
            return
        whom = next(iter(names.values())) if len(names) == 1 else words.pilots(len(names))

        def answered(answer: str | None) -> None:
            if answer == "y":
                self._command_pilots(PilotCommand.KILL, names)

        self.push_screen(Question(f"Kill {whom}?", {"y": "kill", "n": "no"}), answered)

    def action_kill_all(self) -> None:
        """Kill all pilots, once that is typed."""
        pilots = self.snapshot.pilots if self.snapshot else ()
        names = {p.id: p.name for p in pilots if p.state != "exited"}
        if not names:
            self._say("there are no pilots to kill", "warning", timeout=2)
            return
        active = self.snapshot and self.snapshot.mode is Mode.ACTIVE
        new = " New ones follow: the node is not draining." if active else ""

        def answered(sure: bool | None) -> None:
            if sure:
                self._command_pilots(PilotCommand.KILL, names)

        text = f"Kill all {words.pilots(len(names))}?{new}"
        self.push_screen(TypedQuestion(text, _KILL_ALL), answered)

    def action_freeze(self) -> None:
        """Freeze the chosen pilots, or let them go on if all of them are frozen."""
        names = self._chosen()
        if not names:
            self._nobody()
            return
        states = {p.state for p in (self.snapshot.pilots if self.snapshot else ()) if p.id in names}
        self._command_pilots(
            PilotCommand.THAW if states == {"frozen"} else PilotCommand.FREEZE, names
        )

    def _nobody(self) -> None:
        self._say("no pilot that runs is selected", "warning", timeout=2)

    def _chosen(self) -> dict[str, str]:
        """Return the names of the chosen pilots by ID: those there are."""
        page = self.screen
        if isinstance(page, PilotPage):
            return {page.pilot: page.called} if self.moment.pilot(page.pilot) else {}
        chosen = self.query_one(PilotTable).chosen()
        return {x.pilot.id: x.pilot.name for x in chosen if x.pilot.state != "exited"}

    # --- table and panes ----------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which keys mean something now: on other screens only those that fit there."""
        if len(self.screen_stack) == 1 or action in ("quit", "command_palette", "help"):
            return True
        here = isinstance(self.screen, PilotPage) and action in ("kill", "freeze", "pilot_log")
        return here or action not in _MAIN_ONLY

    def action_mark(self) -> None:
        """Mark the selected pilot."""
        self.query_one(PilotTable).mark()
        self._draw()

    def action_sort(self) -> None:
        """Sort by the next column."""
        table = self.query_one(PilotTable)
        columns = shown_columns(table.size.width)
        place = columns.index(table.sort) if table.sort in columns else -1
        self._sort_by(columns[(place + 1) % len(columns)])

    def _sort_by(self, column: object) -> None:
        table = self.query_one(PilotTable)
        chosen = next(each for each in COLUMNS if each is column)
        table.turned = chosen is table.sort and not table.turned
        table.sort = chosen
        self._draw()

    @on(PilotTable.Sorted)
    def sort_by(self, event: PilotTable.Sorted) -> None:
        """Sort by a column that was clicked."""
        self._sort_by(event.column)

    def action_turn(self) -> None:
        """Turn the order round."""
        table = self.query_one(PilotTable)
        table.turned = not table.turned
        self._draw()

    def action_former(self) -> None:
        """Show, or hide, pilots that ended."""
        self.with_former = not self.with_former
        self._draw()

    def action_span(self) -> None:
        """Show another span of time."""
        spans = list(SPANS)
        self.span = spans[(spans.index(self.span) + 1) % len(spans)]
        self._draw()

    def action_search(self) -> None:
        """Ask for words to filter pilots by, or the log if that has the focus."""
        field, log = self.query_one("#search", Input), self.query_one("#log", LogPane)
        in_log = log.has_focus
        field.set_class(in_log, "for-log")
        field.value = log.words if in_log else self.words
        field.display = True
        field.focus()

    @on(Input.Changed, "#search")
    def search(self, event: Input.Changed) -> None:
        """Filter while words are typed."""
        if event.input.has_class("for-log"):
            self.query_one("#log", LogPane).search(event.value)
        elif event.input.display:
            self.words = event.value.strip()
        self._draw()

    @on(Input.Submitted, "#search")
    def searched(self, event: Input.Submitted) -> None:
        """Go back to what is filtered."""
        event.input.display = False
        self.query_one("#log" if event.input.has_class("for-log") else PilotTable).focus()

    def action_clear(self) -> None:
        """Take filter and marks back."""
        field, table = self.query_one("#search", Input), self.query_one(PilotTable)
        log = self.query_one("#log", LogPane)
        searched = field.display and field.has_class("for-log")
        field.display = False
        if searched or log.has_focus:
            log.search("")
        else:
            self.words = ""
            table.marked.clear()
        table.focus()
        self._draw()

    # --- screens ------------------------------------------------------------------------

    @on(PilotTable.Opened)
    def action_pilot(self) -> None:
        """Show all of the selected pilot."""
        line = self.query_one(PilotTable).selected
        if line and line.pilot.state != "exited":
            id_, name = line.pilot.id, line.pilot.name
            self._open(PilotPage(id_, name, lambda: self._trails.get(id_) or Trail()))
        else:
            self._nobody()

    def action_pilot_log(self) -> None:
        """Show a pilot's own output."""
        names = self._chosen_one()
        if not names:
            self._nobody()
        for id_, name in names.items():
            call = partial(self.handle.logs, id_, tail=500, follow=False)
            self.push_screen(PilotLog(name, call))

    def _chosen_one(self) -> dict[str, str]:
        if isinstance(self.screen, PilotPage):
            return self._chosen()
        line: PilotRow | None = self.query_one(PilotTable).selected
        return {line.pilot.id: line.pilot.name} if line and line.pilot.state != "exited" else {}

    def action_ledger(self) -> None:
        """Show the ledger."""
        self._open(LedgerPage())

    def action_fleet(self) -> None:
        """Show all nodes."""
        self._open(FleetPage(self.handle.fleet))

    def action_config(self) -> None:
        """Show the configuration."""
        self._open(ConfigPage())

    def action_help(self) -> None:
        """Show all keys."""
        self._open(HelpPage())

    def _open(self, page: Page) -> None:
        if type(self.screen) is not type(page):
            self.push_screen(page)
            self.call_after_refresh(self._draw)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the commands of the palette: every key's, by name."""
        for title, does, action in _COMMANDS:
            yield SystemCommand(title, does, partial(self._do, action))
        yield from super().get_system_commands(screen)

    async def _do(self, action: str) -> None:
        await self.run_action(action)

    # --- the end ------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """End; a hosted engine is asked about first."""
        if isinstance(self.screen, Question | TypedQuestion):
            self.screen.dismiss(None)
            return
        host, pilots = self.host, len(self.snapshot.pilots) if self.snapshot else 0
        if host is None or host.over or self.leaving or not pilots:
            if host and not host.over:
                host.leave()
            self.exit()
            return
        text = f"Plancton ends. What becomes of its {words.pilots(pilots)}?"
        answers = {"l": "leave them running", "d": "drain", "k": "kill", "n": "stay"}
        self.push_screen(Question(text, answers), self._quit)

    def _quit(self, answer: str | None) -> None:
        if self.host is None:
            return
        if answer == "l":
            self.host.leave()
            self.exit()
        elif answer in ("d", "k"):
            self.leaving = True
            (self.host.drain if answer == "d" else self.host.kill)()
            self._draw()


_MAIN_ONLY = frozenset(
    {
        "mark",
        "sort",
        "turn",
        "former",
        "span",
        "search",
        "clear",
        "pilot",
        "pilot_log",
        "kill",
        "kill_all",
        "freeze",
    }
)
_COMMANDS = (
    ("Drain", "no new pilots", "order('draining')"),
    ("Drain and stop", "no new pilots, and Plancton ends with the last", "order('stopping')"),
    ("Resume", "take drain back", "order('active')"),
    ("Kill", "the marked pilots, else the selected one", "kill"),
    ("Kill all", "confirmed by typing", "kill_all"),
    ("Freeze or thaw", "the marked pilots, else the selected one", "freeze"),
    ("Reload", "read the configuration now", "reload"),
    ("Pilot", "all of the selected pilot", "pilot"),
    ("Pilot's log", "what the selected pilot writes", "pilot_log"),
    ("Filter", "show only lines with some words", "search"),
    ("Ended pilots", "show or hide them", "former"),
    ("Ledger", "what was harvested, what it cost", "ledger"),
    ("Fleet", "all nodes that report to the same database", "fleet"),
    ("Configuration", "each value, and where it comes from", "config"),
    ("Time span", "of the CPU plot", "span"),
)
