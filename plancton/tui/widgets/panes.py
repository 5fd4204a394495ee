"""The parts of the main screen beside the table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import RichLog, Static

from plancton.engine.api import LogRecord
from plancton.engine.views.snapshot import Event
from plancton.engine.views.text import clock, printable
from plancton.tui.moment import Moment, Words, banner, first_line, load_line, second_line, why
from plancton.tui.plot import SPANS, Paint, columns, picture, room

_LEVELS = {"WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}
_KEPT = 1000


def content(lines: Iterable[Words]) -> Content:
    """Return lines of styled parts as one text."""
    return Content("\n").join(
        Content.assemble(*((printable(text), style) for text, style in line)) for line in lines
    )


def colour(widget: Widget, name: str) -> str:
    """Return a colour of the theme as rich knows it, those of the terminal's own too."""
    return Color.parse(widget.app.theme_variables[name]).rich_color.name


class CachedStatic(Static):
    """Is drawn anew only if it is to show something else: a terminal may be far away."""

    shown: object = None

    def put(self, key: object, drawn: Callable[[], Content | Text]) -> None:
        """Show what *drawn* returns, unless *key* is as it was."""
        if key != self.shown:
            self.shown = key
            self.update(drawn())

    def say(self, lines: Iterable[Words]) -> None:
        """Show lines of styled parts."""
        words = list(lines)
        self.put(words, lambda: content(words))


class Head(CachedStatic):
    """Node, mode, protection, revision; and what happens next."""

    def show(self, moment: Moment) -> None:
        """Show a moment."""
        self.say([first_line(moment), second_line(moment)])


class Banner(CachedStatic):
    """The one thing that matters more than all else; hidden while there is none."""

    def show(self, moment: Moment) -> None:
        """Show a moment."""
        text, style = banner(moment)
        self.display = bool(text)
        self.say([[(text, f"bold {style}")]])


class CpuPane(Vertical):
    """CPU over time, stacked."""

    def compose(self) -> ComposeResult:
        """Yield the plot and its legend."""
        yield CachedStatic(id="plot")
        yield CachedStatic(id="legend")

    def show(self, moment: Moment) -> None:
        """Draw the history up to a moment."""
        self.border_title = f"CPU, last {moment.span} (t)"
        load = moment.snapshot.load if moment.snapshot else None
        ncpus = load.ncpus if load else 1
        ceiling = moment.snapshot.ceiling if moment.snapshot else None
        plot = self.query_one("#plot", CachedStatic)
        width = room(plot.size.width)
        shown = columns(moment.history, moment.now, SPANS[moment.span], width)
        height = max(2, plot.size.height)
        paint = self._paint()
        drawn = picture(shown, ncpus, ceiling, height, paint, moment.span)
        plot.put((drawn.plain, drawn.spans, paint), lambda: drawn)
        self.query_one("#legend", CachedStatic).say([load_line(moment)])

    def _paint(self) -> Paint:
        return Paint(
            foreground=colour(self, "primary"),
            pilots=colour(self, "success"),
            idle="dim",
            ceiling=colour(self, "warning"),
            colour=not self.app.no_color,
        )


class WhyPane(VerticalScroll):
    """The present reasons, in sentences."""

    def compose(self) -> ComposeResult:
        """Yield the text."""
        yield CachedStatic(id="reasons")

    def on_mount(self) -> None:
        """Say what it is."""
        self.border_title = "Why"

    def show(self, moment: Moment) -> None:
        """Show a moment."""
        self.query_one("#reasons", CachedStatic).say(why(moment))


class LogPane(RichLog, can_focus=True):
    """What the engine says; it follows, unless one scrolls up, and can be searched."""

    def __init__(self, id: str) -> None:  # noqa: A002 (as textual calls it)
        """Start empty."""
        super().__init__(id=id, max_lines=_KEPT, wrap=True, min_width=20)
        self.records: deque[LogRecord] = deque(maxlen=_KEPT)
        self.words = ""
        self._width = 0
        self.border_title = "Log"

    def begin(self, events: Iterable[Event]) -> None:
        """Take the diary from before this screen, unless that is known."""
        last = self.records[-1].wall if self.records else 0.0
        older = [LogRecord(e.wall, e.level, e.text, {}) for e in events if e.wall > last]
        self.add(older)

    def note(self, wall: float, text: str, level: str = "INFO") -> None:
        """Add a line of this screen's own."""
        self.add([LogRecord(wall, level, text, {})])

    def add(self, records: Iterable[LogRecord]) -> None:
        """Add lines."""
        follow = self.is_vertical_scroll_end
        for record in records:
            self.records.append(record)
            if self._fits(record):
                self.write(self._line(record), expand=True, scroll_end=follow)

    def search(self, words: str) -> None:
        """Show only lines that hold all *words*."""
        self.words = words
        title = f"Log: lines with {words}" if words else "Log"
        self.border_title = Content(title)  # a str would be markup
        self._write_anew()

    def _write_anew(self) -> None:
        self.clear()
        for record in self.records:
            if self._fits(record):
                self.write(self._line(record), expand=True)

    def on_resize(self, event: Resize) -> None:  # noqa: ARG002 (as the library declares it)
        """Break the lines anew."""
        if self.size.width != self._width:
            self._width = self.size.width
            self._write_anew()

    def _fits(self, record: LogRecord) -> bool:
        text = f"{record.level} {_text(record)}".lower()
        return all(word in text for word in self.words.lower().split())

    def _line(self, record: LogRecord) -> Text:
        line = Text(overflow="fold").append(f"{clock(record.wall, '%H:%M:%S')} ", "dim")
        name = _LEVELS.get(record.level)
        style = colour(self, name) if name else ""
        return line.append(_text(record), "dim" if record.level == "DEBUG" else style)


def _text(record: LogRecord) -> str:
    fields = " ".join(f"{key}={value}" for key, value in record.fields.items() if key != "reason")
    reason = record.fields.get("reason", "")
    because = f": {reason}" if reason else ""
    return printable(" ".join(part for part in (record.text, fields) if part) + because)
