"""What a pilot writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, RichLog

from plancton.tui.screens.page import Page
from plancton.tui.stream_reader import FAILURES
from plancton.tui.widgets.panes import Banner

_KEPT = 5000


_STEERING = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]")
"""Control characters, but for tabs and for escape sequences that set colours."""


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
