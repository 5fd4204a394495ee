"""The program: it listens to an engine, shows each moment of it, and ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from plancton.config.effective import Setting
from plancton.engine.api import EngineApi
from plancton.engine.model.operator import Mode
from plancton.engine.records.history import History
from plancton.engine.views.snapshot import Snapshot
from plancton.engine.views.text import count_pilots, printable_values
from plancton.tui.dialogs import Question, TypedQuestion
from plancton.tui.end_of_terminal import EndOfTerminal
from plancton.tui.engine_commands import EngineCommands
from plancton.tui.hosted_engine import HostedEngine
from plancton.tui.keymap import APP_BINDINGS, KEYS
from plancton.tui.moment import Moment
from plancton.tui.pilot_usage import PilotUsage
from plancton.tui.screens.config import ConfigPage
from plancton.tui.screens.fleet import FleetPage
from plancton.tui.screens.help import HelpPage
from plancton.tui.screens.ledger import LedgerPage
from plancton.tui.screens.main import MainScreen
from plancton.tui.screens.page import Page
from plancton.tui.stream_reader import ENGINE_ERRORS, StreamBatch, StreamReader
from plancton.tui.theme import THEMES
from plancton.tui.widgets.log_pane import LogPane

_REFRESH_EVERY = 1.0
_SETTINGS_EVERY = 30
"""Refreshes between two looks at the configuration."""


class BatchReady(Message):
    """The stream reader has a batch."""


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
    BINDINGS: ClassVar[list[BindingType]] = APP_BINDINGS

    def __init__(
        self,
        engine: EngineApi,
        connection: str,
        *,
        hosted: HostedEngine | None = None,
        readonly: bool = False,
        theme: str = "dark",
        span: str = "5 min",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Show *engine*, which is held as *connection* says.

        *hosted* is there if it runs in this process. *span* is the first one of the
        CPU plot; *clock* is the wall clock.
        """
        super().__init__()
        self.engine, self.connection, self.hosted = engine, connection, hosted
        self.readonly, self.clock = readonly, clock
        self.stream_reader = StreamReader(engine, lambda: self.post_message(BatchReady()))
        self.commands = EngineCommands(self, engine, clock, self.draw, readonly=readonly)
        self.end_of_terminal = EndOfTerminal(self._leave, self._may_exit)
        self.usage = PilotUsage()
        self.main_screen = MainScreen(engine, self.commands, self.usage, self.draw, span=span)
        self.snapshot: Snapshot | None = None
        self.connection_lost = ""
        self.ends_with_last_pilot = False
        self.history, self.settings = History(), tuple[Setting, ...]()
        self._refreshes = 0
        for each in THEMES.values():
            self.register_theme(each)
        self.theme = theme

    # --- life ---------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """Return the screen below all others."""
        return self.main_screen

    @on(MainScreen.Composed)
    def listen(self) -> None:
        """Begin to listen."""
        self.end_of_terminal.install(self.exit)
        self.stream_reader.start()
        self._refresh_history()
        self.set_interval(_REFRESH_EVERY, self._refresh)
        self.draw()

    def _refresh(self) -> None:
        self._refreshes += 1
        if self.hosted and self.hosted.ended and not self.hosted.failure:
            self.exit(message="Plancton ended, as it was asked.")
            return
        self._refresh_history()
        self.draw()

    def on_unmount(self) -> None:
        """Stop listening."""
        self.end_of_terminal.restore()
        self.stream_reader.stop()

    def _leave(self) -> None:
        """Nobody is here to be asked: what becomes of a hosted engine is configured."""
        if self.hosted:
            self.hosted.stop_as_configured()

    def _may_exit(self) -> bool:
        return self.hosted is None or self.hosted.ended

    # --- what the engine says -----------------------------------------------------------

    @on(BatchReady)
    def take_batch(self) -> None:
        """Take what the stream reader has read."""
        batch, log = self.stream_reader.take_batch(), self.query_one(LogPane)
        if batch.snapshot is not None:
            if self.snapshot is None or self.connection_lost:
                log.add_earlier(batch.snapshot.events)
            self._take_snapshot(batch.snapshot)
        log.add(batch.records)
        if batch.skipped_records:
            text = f"{batch.skipped_records} lines came too fast and were skipped"
            log.add_own(self.clock(), text)
        self._take_connection(batch, log)
        self.draw()

    def _take_snapshot(self, snapshot: Snapshot) -> None:
        before, self.snapshot = self.snapshot, snapshot
        if before and before.config_revision != snapshot.config_revision:
            self.settings = ()
        self.usage.add(snapshot)
        self.commands.resolve(snapshot)

    def _take_connection(self, batch: StreamBatch, log: LogPane) -> None:
        lost = batch.connection_lost
        if lost is None:
            return
        if bool(lost) != bool(self.connection_lost):
            text = f"connection lost: {lost}" if lost else "connected again"
            log.add_own(self.clock(), text, "ERROR" if lost else "INFO")
        self.connection_lost = lost

    def _refresh_history(self) -> None:
        """Have history and configuration asked for."""
        if not self.connection_lost:
            self.run_worker(self._fetch_history, thread=True, exclusive=True, group="history")

    def _fetch_history(self) -> None:
        with suppress(*ENGINE_ERRORS):
            self.history = self.engine.history()
            if not self.settings or self._refreshes % _SETTINGS_EVERY == 0:
                self.settings = printable_values(self.engine.settings())

    # --- what is shown ------------------------------------------------------------------

    @property
    def moment(self) -> Moment:
        """What there is to show now."""
        return Moment(
            connection=self.connection,
            snapshot=self.snapshot,
            now=self.clock(),
            connection_lost=self.connection_lost,
            engine_failure=self.hosted.failure if self.hosted else "",
            ends_with_last_pilot=self.ends_with_last_pilot,
            readonly=self.readonly,
            history=self.history,
            settings=self.settings,
            pending_states=self.commands.pending.pilot_states(),
        )

    def draw(self) -> None:
        """Show this moment on every screen that lies open."""
        if not self.is_running:
            return
        moment = self.moment
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen | Page) and screen.is_mounted:
                screen.show_moment(moment)

    def on_resize(self) -> None:
        """Draw anew, once all parts have their new sizes."""
        self.call_after_refresh(self.draw)

    # --- keys that every screen has -----------------------------------------------------

    def action_order(self, mode: str) -> None:
        """Ask for a mode of the node."""
        self.commands.order(Mode(mode))

    def action_reload(self) -> None:
        """Have the configuration read."""
        if self.snapshot:
            self.commands.reload(self.snapshot)

    def action_ledger(self) -> None:
        """Show the ledger."""
        self._open(LedgerPage())

    def action_fleet(self) -> None:
        """Show all nodes."""
        self._open(FleetPage(self.engine))

    def action_config(self) -> None:
        """Show the configuration."""
        self._open(ConfigPage())

    def action_help(self) -> None:
        """Show all keys."""
        self._open(HelpPage())

    def _open(self, page: Page) -> None:
        if type(self.screen) is not type(page):
            self.push_screen(page)
            self.call_after_refresh(self.draw)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the commands of the palette: every key's, by name."""
        for key in KEYS.values():
            title, does = key.palette
            if title:
                yield SystemCommand(title, does, partial(self._run_command, key.action))
        yield from super().get_system_commands(screen)

    async def _run_command(self, action: str) -> None:
        await self.run_action(action, self.screen)

    # --- the end ------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """End; a hosted engine is asked about first."""
        if isinstance(self.screen, Question | TypedQuestion):
            self.screen.dismiss(None)
            return
        hosted, pilots = self.hosted, len(self.snapshot.pilots) if self.snapshot else 0
        if hosted is None or hosted.ended or self.ends_with_last_pilot or not pilots:
            if hosted and not hosted.ended:
                hosted.leave_pilots()
            self.exit()
            return
        text = f"Plancton ends. What becomes of its {count_pilots(pilots)}?"
        answers = {"l": "leave them running", "d": "drain", "k": "kill", "n": "stay"}
        self.push_screen(Question(text, answers), partial(self._end_engine, hosted))

    def _end_engine(self, hosted: HostedEngine, answer: str | None) -> None:
        if answer == "l":
            hosted.leave_pilots()
            self.exit()
        elif answer in ("d", "k"):
            self.ends_with_last_pilot = True
            (hosted.drain if answer == "d" else hosted.kill_pilots)()
            self.draw()
