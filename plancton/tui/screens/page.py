"""What all screens over the main one share."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from plancton.tui.moment import Moment
from plancton.tui.widgets.banner import Banner


class Page(Screen[None]):
    """A screen that shows the moments as they come, until esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back"),
    ]

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()

    def show_moment(self, moment: Moment) -> None:
        """Show a moment."""
        for each in self.query(Banner):
            each.show_moment(moment)
