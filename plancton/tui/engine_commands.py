"""What a person asks of the engine: confirmed, announced, and watched until it came about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from textual.app import App

from plancton.engine.api import EngineApi, RefusedError
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.views.snapshot import PilotView, Snapshot
from plancton.engine.views.text import count_pilots, printable
from plancton.tui.dialogs import Question, TypedQuestion
from plancton.tui.pending_requests import (
    PendingRequest,
    PendingRequests,
    Severity,
    mode_request,
    pilots_request,
    reload_request,
)
from plancton.tui.stream_reader import ENGINE_ERRORS
from plancton.tui.widgets.pilot_table import PilotTable

_KILL_ALL = "kill all"


class EngineCommands:
    """Asks the engine on a thread, so that the screen never waits for it."""

    def __init__(
        self,
        app: App[None],
        engine: EngineApi,
        clock: Callable[[], float],
        redraw: Callable[[], None],
        *,
        readonly: bool,
    ) -> None:
        """Ask *engine*; if *readonly*, only say that nothing was asked."""
        self._app, self._engine, self._clock, self._redraw = app, engine, clock, redraw
        self._readonly = readonly
        self.pending = PendingRequests()

    def order(self, mode: Mode) -> None:
        """Ask for a mode of the node."""
        self._ask(mode_request(mode, self._clock()), partial(self._engine.order, mode))

    def reload(self, before: Snapshot) -> None:
        """Have the configuration read; *before* tells what changed by it."""
        self._ask(reload_request(before, self._clock()), self._engine.reload)

    def kill(self, pilots: Sequence[PilotView]) -> None:
        """Kill pilots, once that is confirmed."""
        if not pilots:
            self.report_no_pilot()
            return
        whom = pilots[0].name if len(pilots) == 1 else count_pilots(len(pilots))

        def answered(answer: str | None) -> None:
            if answer == "y":
                self._command(PilotCommand.KILL, pilots)

        self._app.push_screen(Question(f"Kill {whom}?", {"y": "kill", "n": "no"}), answered)

    def kill_all(self, snapshot: Snapshot | None) -> None:
        """Kill all pilots, once that is typed."""
        pilots = [p for p in (snapshot.pilots if snapshot else ()) if p.state != "exited"]
        if not pilots:
            self.report("there are no pilots to kill", "warning", timeout=2)
            return
        active = snapshot and snapshot.mode is Mode.ACTIVE
        new = " New ones follow: the node is not draining." if active else ""

        def answered(sure: bool | None) -> None:
            if sure:
                self._command(PilotCommand.KILL, pilots)

        text = f"Kill all {count_pilots(len(pilots))}?{new}"
        self._app.push_screen(TypedQuestion(text, _KILL_ALL), answered)

    def freeze_or_thaw(self, pilots: Sequence[PilotView]) -> None:
        """Freeze pilots, or let them go on if all of them are frozen."""
        if not pilots:
            self.report_no_pilot()
            return
        frozen = all(pilot.state == "frozen" for pilot in pilots)
        self._command(PilotCommand.THAW if frozen else PilotCommand.FREEZE, pilots)

    def resolve(self, snapshot: Snapshot) -> None:
        """Report what came about by the newest snapshot."""
        for outcome in self.pending.resolve(snapshot, self._clock()):
            self.report(outcome.text, outcome.severity)

    def report_no_pilot(self) -> None:
        """Say that there is no pilot to do it to."""
        self.report("no pilot that runs is selected", "warning", timeout=2)

    def report(self, text: str, severity: Severity = "information", timeout: float = 5) -> None:
        """Pop up a text; brackets in it are only brackets."""
        self._app.notify(printable(text), severity=severity, timeout=timeout, markup=False)

    def _command(self, command: PilotCommand, pilots: Sequence[PilotView]) -> None:
        names = {pilot.id: pilot.name for pilot in pilots}

        def call() -> None:
            refused = []
            for id_ in names:
                try:
                    self._engine.command_pilot(id_, command)
                except RefusedError as error:  # that one has gone; the others are still meant
                    refused.append(str(error))
            if len(refused) == len(names):
                raise RefusedError(refused[0])

        self._app.query_one(PilotTable).marked.clear()
        self._ask(pilots_request(names, command, self._clock()), call)

    def _ask(self, request: PendingRequest, call: Callable[[], object]) -> None:
        """Ask the engine something, say so at once, and remember it until it came about."""
        if self._readonly:
            self.report(f"read-only: {request.description} was not asked", "warning")
            return
        self.pending.add(request)
        self.report(f"asked: {request.description}", timeout=2)
        self._redraw()
        self._app.run_worker(partial(self._call, request, call), thread=True, group="ask")

    def _call(self, request: PendingRequest, call: Callable[[], object]) -> None:
        try:
            call()
        except ENGINE_ERRORS as error:
            self._app.call_from_thread(self._refused, request, str(error))

    def _refused(self, request: PendingRequest, why: str) -> None:
        self.pending.drop(request)
        self.report(f"{request.description}: {why}", "error", timeout=10)
        self._redraw()
