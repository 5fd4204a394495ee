"""A screen over the main one that shows each moment as it comes."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from plancton.tui.moment import Moment
from plancton.tui.widgets.panes import Banner


class Page(Screen[None]):
    """A screen that shows the moments as they come, until esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back"),
    ]

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()

    def show(self, moment: Moment) -> None:
        """Show a moment."""
        for each in self.query(Banner):
            each.show(moment)
