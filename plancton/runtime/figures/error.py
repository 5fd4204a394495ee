"""Why a figure could not be read."""

from __future__ import annotations

from plancton.engine.views.text import printable

_LONGEST = 300


class FigureError(Exception):
    """There is no figure. Says why, without credentials, in one line that cannot steer a terminal.

    Commands and servers have their part in what it says.
    """

    def __init__(self, why: str) -> None:
        """Keep the text, cleaned and bounded."""
        line = " ".join(why.split())
        super().__init__(printable(line[:_LONGEST]))
