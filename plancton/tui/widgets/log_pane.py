"""The engine's log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rich.text import Text
from textual.content import Content
from textual.events import Resize
from textual.widgets import RichLog

from plancton.engine.api import LogRecord
from plancton.engine.views.snapshot import Event
from plancton.engine.views.text import clock, printable
from plancton.tui.widgets.cached_static import theme_colour

_LEVEL_COLOURS = {"WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}
_KEPT = 1000


class LogPane(RichLog, can_focus=True):
    """What the engine says; it follows, unless one scrolls up, and can be filtered."""

    def __init__(self, id: str) -> None:  # noqa: A002 (as textual calls it)
        """Start empty."""
        super().__init__(id=id, max_lines=_KEPT, wrap=True, min_width=20)
        self.records: deque[LogRecord] = deque(maxlen=_KEPT)
        self.filter_text = ""
        self._wrapped_width = 0
        self.border_title = "Log"

    def add_earlier(self, events: Iterable[Event]) -> None:
        """Add the events from before this screen, unless they are known."""
        last = self.records[-1].wall if self.records else 0.0
        older = [LogRecord(e.wall, e.level, e.text, {}) for e in events if e.wall > last]
        self.add(older)

    def add_own(self, wall: float, text: str, level: str = "INFO") -> None:
        """Add a line of this screen's own."""
        self.add([LogRecord(wall, level, text, {})])

    def add(self, records: Iterable[LogRecord]) -> None:
        """Add lines."""
        follow = self.is_vertical_scroll_end
        for record in records:
            self.records.append(record)
            if self._matches(record):
                self.write(self._line(record), expand=True, scroll_end=follow)

    def filter(self, text: str) -> None:
        """Show only lines that hold all words of *text*."""
        self.filter_text = text
        title = f"Log: lines with {text}" if text else "Log"
        self.border_title = Content(title)  # a str would be markup
        self._write_anew()

    def _write_anew(self) -> None:
        self.clear()
        for record in self.records:
            if self._matches(record):
                self.write(self._line(record), expand=True)

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002 (as the library declares it)
        """Break the lines anew."""
        if self.size.width != self._wrapped_width:
            self._wrapped_width = self.size.width
            self._write_anew()

    def _matches(self, record: LogRecord) -> bool:
        text = f"{record.level} {_text(record)}".lower()
        return all(word in text for word in self.filter_text.lower().split())

    def _line(self, record: LogRecord) -> Text:
        line = Text(overflow="fold").append(f"{clock(record.wall, '%H:%M:%S')} ", "dim")
        name = _LEVEL_COLOURS.get(record.level)
        style = theme_colour(self, name) if name else ""
        return line.append(_text(record), "dim" if record.level == "DEBUG" else style)


def _text(record: LogRecord) -> str:
    fields = " ".join(f"{key}={value}" for key, value in record.fields.items() if key != "reason")
    reason = record.fields.get("reason", "")
    because = f": {reason}" if reason else ""
    return printable(" ".join(part for part in (record.text, fields) if part) + because)
