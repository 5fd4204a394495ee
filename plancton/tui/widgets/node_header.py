"""The first two lines of the screen."""

from __future__ import annotations

from plancton.tui.moment import Moment
from plancton.tui.texts import next_event_line, node_line
from plancton.tui.widgets.cached_static import CachedStatic


class NodeHeader(CachedStatic):
    """Node, mode, protection, revision; and what happens next."""

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        self.show_lines([node_line(moment), next_event_line(moment)])
