"""Why no more pilots run."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from plancton.tui.moment import Moment
from plancton.tui.texts import reasons
from plancton.tui.widgets.cached_static import CachedStatic


class ReasonsPane(VerticalScroll):
    """The present reasons, in sentences."""

    def compose(self) -> ComposeResult:
        """Yield the text."""
        yield CachedStatic(id="reasons-text")

    def on_mount(self) -> None:
        """Say what it is."""
        self.border_title = "Why"

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        self.query_one("#reasons-text", CachedStatic).show_lines(reasons(moment))
