"""Figures that are read from outside: by a command, from a web server, from Prometheus."""

from plancton.runtime.figures.error import FigureError
from plancton.runtime.figures.read import read_figure

__all__ = ["FigureError", "read_figure"]
