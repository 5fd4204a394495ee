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
_AXIS = 5
"""Columns left of the plot."""


@dataclass(frozen=True, slots=True)
class Paint:
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


def columns(history: History, now: float, span: float, width: int) -> list[PlotColumn | None]:
    """Return *width* columns over the last *span* seconds; None where nothing was seen."""
    fine = zip(history.levels, LEVELS, strict=True)
    rows = next((r for r, (step, count) in fine if step * count >= span), history.levels[-1])
    part = span / max(1, width)
    begin = now - span
    found: list[PlotColumn | None] = []
    first = 0
    for number in range(width):
        low, high = begin + number * part, begin + (number + 1) * part
        while first < len(rows) and rows[first].at + _length(rows, first) <= low:
            first += 1
        within = []
        for row in rows[first:]:
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
    seen = sum(row.seconds for row in rows)
    if not seen:
        return None
    cpu = sum(row.values[_CPU] * row.seconds for row in rows) / seen
    foreground = sum(row.values[_FOREGROUND] * row.seconds for row in rows) / seen
    return PlotColumn(foreground, max(0.0, cpu - foreground))


def picture(
    shown: Sequence[PlotColumn | None],
    ncpus: float,
    ceiling: float | None,
    height: int,
    paint: Paint,
    span: str,
) -> Text:
    """Return the plot in *height* lines, with cores on its axis and time below."""
    text = Text(no_wrap=True, overflow="crop")
    lines = max(1, height - 1)
    size = ncpus / lines
    mark = None if ceiling is None or ceiling >= ncpus else min(lines - 1, int(ceiling / size))
    for line in range(lines - 1, -1, -1):
        low = line * size
        text.append(_axis(line, lines, mark, ncpus, ceiling), paint.idle)
        cells = (_cell(column, low, size, paint, limit=line == mark) for column in shown)
        for style, run in groupby(cells, key=itemgetter(1)):
            text.append("".join(character for character, _ in run), style)
        text.append("\n")
    return text.append(_times(span, len(shown)), paint.idle)


def _axis(line: int, lines: int, mark: int | None, ncpus: float, ceiling: float | None) -> str:
    if line == mark:
        return f"{ceiling:4.1f}┄"
    if line == lines - 1:
        return f"{ncpus:4g}┤"
    return "   0┤" if line == 0 else "    │"


def _times(span: str, width: int) -> str:
    left, right = f"-{span}", "now"
    return " " * _AXIS + left + right.rjust(max(1, width - len(left)))


def _cell(
    column: PlotColumn | None, low: float, size: float, paint: Paint, *, limit: bool
) -> tuple[str, Style | str]:
    empty = ("┄", paint.ceiling) if limit else (" ", "")
    if column is None:
        return empty
    owner = (column.foreground - low) / size
    both = (column.foreground + column.pilots - low) / size
    if not paint.colour:
        return ("█" if owner >= 0.5 else "▒" if both >= 0.5 else empty[0]), ""
    if owner >= 15 / 16:
        return "█", paint.foreground
    if owner > 1 / 16:
        beside = paint.pilots if both >= owner + 0.25 else None
        return _EIGHTHS[round(8 * owner)], Style.parse(paint.foreground) + Style(bgcolor=beside)
    if both > 1 / 16:
        return _EIGHTHS[min(8, round(8 * both))], paint.pilots
    return empty


def room(width: int) -> int:
    """Columns that a plot of so many characters has."""
    return max(1, width - _AXIS)
