"""Why a figure could not be read."""

from __future__ import annotations


class FigureError(Exception):
    """There is no figure. Says why, without credentials, in one line."""
