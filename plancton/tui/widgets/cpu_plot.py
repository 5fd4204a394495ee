"""CPU over time as stacked columns: foreground below, pilots on it, idle above. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from rich.style import Style
from rich.text import Text

from plancton.engine.records.history import LEVELS, METRICS, History, Row

SPANS = {"5 min": 300.0, "1 h": 3600.0, "12 h": 43200.0, "1 day": 86400.0}
_CPU, _FOREGROUND = METRICS.index("cpu"), METRICS.index("foreground")
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_AXIS_WIDTH = 5
"""Columns left of the plot."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a plot; without *colour* the layers differ by their characters."""

    foreground: str
    pilots: str
    idle: str
    ceiling: str
    colour: bool = True


@dataclass(frozen=True, slots=True)
class PlotColumn:
    """Mean cores over one part of the time."""

    foreground: float
    pilots: float


def plot_columns(history: History, now: float, span: float, width: int) -> list[PlotColumn | None]:
    """Return *width* columns over the last *span* seconds; None where nothing was seen."""
    levels = zip(history.levels, LEVELS, strict=True)
    rows = next((r for r, (step, count) in levels if step * count >= span), history.levels[-1])
    seconds = span / max(1, width)
    begin = now - span
    found: list[PlotColumn | None] = []
    oldest = 0
    for number in range(width):
        low, high = begin + number * seconds, begin + (number + 1) * seconds
        while oldest < len(rows) and rows[oldest].at + _length(rows, oldest) <= low:
            oldest += 1
        within = []
        for row in rows[oldest:]:
            if row.at >= high:
                break
            within.append(row)
        found.append(_mean(within))
    return found


def _length(rows: Sequence[Row], index: int) -> float:
    """Seconds for which a row stands: to the next one, if that follows at once."""
    step = rows[index + 1].at - rows[index].at if index + 1 < len(rows) else rows[index].seconds
    return min(step, max(rows[index].seconds * 2, 10.0))


def _mean(rows: Sequence[Row]) -> PlotColumn | None:
    seconds = sum(row.seconds for row in rows)
    if not seconds:
        return None
    cpu = sum(row.values[_CPU] * row.seconds for row in rows) / seconds
    foreground = sum(row.values[_FOREGROUND] * row.seconds for row in rows) / seconds
    return PlotColumn(foreground, max(0.0, cpu - foreground))


def plot(
    columns: Sequence[PlotColumn | None],
    ncpus: float,
    ceiling: float | None,
    height: int,
    palette: Palette,
    span: str,
) -> Text:
    """Return the plot in *height* lines, with cores on its axis and time below."""
    text = Text(no_wrap=True, overflow="crop")
    lines = max(1, height - 1)
    cores = ncpus / lines  # of one line
    ceiling_line = None
    if ceiling is not None and ceiling < ncpus:
        ceiling_line = min(lines - 1, int(ceiling / cores))
    for line in range(lines - 1, -1, -1):
        low = line * cores
        text.append(_core_axis(line, lines, ceiling_line, ncpus, ceiling), palette.idle)
        at_ceiling = line == ceiling_line
        cells = [_cell(column, low, cores, palette, at_ceiling=at_ceiling) for column in columns]
        for style, run in groupby(cells, key=itemgetter(1)):
            text.append("".join(character for character, _ in run), style)
        text.append("\n")
    return text.append(_time_axis(span, len(columns)), palette.idle)


def _core_axis(
    line: int, lines: int, ceiling_line: int | None, ncpus: float, ceiling: float | None
) -> str:
    if line == ceiling_line:
        return f"{ceiling:4.1f}┄"
    if line == lines - 1:
        return f"{ncpus:4g}┤"
    return "   0┤" if line == 0 else "    │"


def _time_axis(span: str, width: int) -> str:
    left, right = f"-{span}", "now"
    return " " * _AXIS_WIDTH + left + right.rjust(max(1, width - len(left)))


def _cell(
    column: PlotColumn | None, low: float, cores: float, palette: Palette, *, at_ceiling: bool
) -> tuple[str, Style | str]:
    empty = ("┄", palette.ceiling) if at_ceiling else (" ", "")
    if column is None:
        return empty
    foreground = (column.foreground - low) / cores
    top = (column.foreground + column.pilots - low) / cores
    if not palette.colour:
        return ("█" if foreground >= 0.5 else "▒" if top >= 0.5 else empty[0]), ""
    if foreground >= 15 / 16:
        return "█", palette.foreground
    if foreground > 1 / 16:
        background = palette.pilots if top >= foreground + 0.25 else None
        style = Style.parse(palette.foreground) + Style(bgcolor=background)
        return _EIGHTHS[round(8 * foreground)], style
    if top > 1 / 16:
        return _EIGHTHS[min(8, round(8 * top))], palette.pilots
    return empty


def plot_width(width: int) -> int:
    """Return the columns of a plot in so many characters."""
    return max(1, width - _AXIS_WIDTH)
