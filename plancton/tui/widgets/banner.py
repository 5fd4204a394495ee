"""The line for what matters more than all else."""

from __future__ import annotations

from plancton.tui.moment import Moment
from plancton.tui.texts import banner
from plancton.tui.widgets.cached_static import CachedStatic


class Banner(CachedStatic):
    """The one thing that matters more than all else; hidden while there is none."""

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        text, style = banner(moment)
        self.display = bool(text)
        self.show_lines([[(text, f"bold {style}")]])
