"""Text that is sent to the terminal only if it changed, and how styled parts become text."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from plancton.engine.views.text import printable
from plancton.tui.texts import StyledLine


def content(lines: Iterable[StyledLine]) -> Content:
    """Return lines of styled parts as one text."""
    return Content("\n").join(
        Content.assemble(*((printable(text), style) for text, style in line)) for line in lines
    )


def theme_colour(widget: Widget, name: str) -> str:
    """Return a colour of the theme as rich knows it, those of the terminal's own too."""
    return Color.parse(widget.app.theme_variables[name]).rich_color.name


class CachedStatic(Static):
    """Is drawn anew only if it is to show something else: a terminal may be far away."""

    cache_key: object = None

    def show(self, key: object, draw: Callable[[], Content | Text]) -> None:
        """Show what *draw* returns, unless *key* is as it was."""
        if key != self.cache_key:
            self.cache_key = key
            self.update(draw())

    def show_lines(self, lines: Iterable[StyledLine]) -> None:
        """Show lines of styled parts."""
        key = list(lines)
        self.show(key, lambda: content(key))
