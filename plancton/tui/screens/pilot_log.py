"""What a pilot writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Footer, Input, RichLog

from plancton.engine.api import EngineApi
from plancton.engine.views.snapshot import PilotView
from plancton.engine.views.text import without_steering
from plancton.tui.screens.page import Page
from plancton.tui.stream_reader import ENGINE_ERRORS
from plancton.tui.widgets.banner import Banner

_KEPT_LINES, _READ_LINES = 5000, 500
_READ_BYTES, _LONGEST_LINE = 500_000, 4000
"""A pilot may write 100 MB without an end of line, of which Docker makes thousands of parts."""


def last_bytes(chunks: Iterable[bytes], most: int) -> bytes:
    """Return the end of what *chunks* hold, from the beginning of a line where there is one.

    It holds about twice as much at any time.
    """
    kept, cut = b"", False
    for chunk in chunks:
        kept += chunk
        if len(kept) > 2 * most:
            kept, cut = kept[-most:], True
    if len(kept) > most:
        kept, cut = kept[-most:], True
    return kept.split(b"\n", 1)[-1] if cut else kept


def shortened(line: str) -> str:
    """Return a line, cut where nobody would read on."""
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}... (cut)"


def without_control(line: str) -> Text:
    """Return a line with its colours, and unable to steer the terminal otherwise."""
    return Text.from_ansi(without_steering(line).replace("\n", ""))


def new_lines(old: Sequence[str], new: Sequence[str]) -> Sequence[str]:
    """Return the lines of *new* that follow the end of *old*, which it may overlap."""
    for overlap in range(min(len(old), len(new)), 0, -1):
        if list(old[-overlap:]) == list(new[:overlap]):
            return new[overlap:]
    return new


class PilotLogPage(Page):
    """What a pilot writes, looked at each second: a stream would hold one of the engine's few."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", "Search")]

    def __init__(self, pilot: PilotView, engine: EngineApi) -> None:
        """Show the log of *pilot*, which *engine* reads."""
        super().__init__()
        self._pilot, self._engine = pilot, engine
        self._lines: list[str] = []
        self._search_text, self._failure = "", ""

    def compose(self) -> ComposeResult:
        """Yield the log and a place for the search."""
        yield Banner()
        yield RichLog(id="pilot-log", wrap=True, max_lines=_KEPT_LINES, min_width=20)
        yield Input(id="filter", placeholder="show only lines with these words; esc: all")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read."""
        field = self.query_one("#filter", Input)
        field.display = field.cursor_blink = False
        log = self.query_one(RichLog)
        log.border_title = Content(f"{self._pilot.name}: its output")  # a str would be markup
        log.focus()
        self._refresh_output()
        self.set_interval(1.0, self._refresh_output)

    def _refresh_output(self) -> None:
        self.run_worker(self._fetch, thread=True, exclusive=True, exit_on_error=False)

    def _fetch(self) -> None:
        try:
            output = self._engine.logs(self._pilot.id, tail=_READ_LINES, follow=False)
            text = last_bytes(output, _READ_BYTES).decode("utf-8", "replace")
        except ENGINE_ERRORS as error:
            self.app.call_from_thread(self._add_failure, str(error))
        else:
            self.app.call_from_thread(self._add, text)

    def _add_failure(self, why: str) -> None:
        """Say once why there is no more; a service that is lost may come back."""
        if why != self._failure:
            self._write([f"[{why}]"])
        self._failure = why

    def _add(self, text: str) -> None:
        self._failure = ""
        lines = list(map(shortened, text.removesuffix("\n").split("\n"))) if text else []
        new = new_lines(self._lines, lines)
        self._lines = [*self._lines, *new][-_KEPT_LINES:]
        self._write(new)

    def _write(self, lines: Sequence[str]) -> None:
        if self.is_attached:
            log = self.query_one(RichLog)
            follow = log.is_vertical_scroll_end
            for line in lines:
                if self._search_text in line.lower():
                    log.write(without_control(line), scroll_end=follow)

    def action_search(self) -> None:
        """Ask for words."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_back(self) -> None:
        """Show all lines again; go back if all are shown."""
        field = self.query_one("#filter", Input)
        if not field.display:
            super().action_back()
            return
        field.value = ""
        field.display = False
        self.query_one(RichLog).focus()

    @on(Input.Changed)
    def search_changed(self, event: Input.Changed) -> None:
        """Show only lines with the words."""
        self._search_text = event.value.lower()
        self.query_one(RichLog).clear()
        self._write(self._lines)

    @on(Input.Submitted)
    def search_submitted(self) -> None:
        """Go back to the log."""
        self.query_one(RichLog).focus()
