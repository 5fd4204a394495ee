"""The plot of the history."""

from __future__ import annotations

from plancton.engine.records.history import History, Row
from plancton.tui.widgets.cpu_plot import Palette, PlotColumn, plot, plot_columns

PAINT = Palette("red", "green", "dim", "yellow")


def _history(values: list[float], begin: float = 0.0) -> History:
    rows = tuple(
        Row(begin + 5 * n, 5.0, (cpu, cpu / 2, 0.0, 0.0, 0.0, 1.0, 0.0))
        for n, cpu in enumerate(values)
    )
    return History((rows, (), ()))


def test_columns_are_means_and_gaps_stay_gaps() -> None:
    """However wide the plot is."""
    history = _history([4.0] * 12, begin=100.0)
    wide = plot_columns(history, 160.0, 300.0, 60)
    assert wide[:48] == [None] * 48
    assert wide[48:] == [PlotColumn(2.0, 2.0)] * 12
    assert plot_columns(history, 160.0, 300.0, 5) == [None] * 4 + [PlotColumn(2.0, 2.0)]
    assert plot_columns(History(), 160.0, 300.0, 3) == [None] * 3


def test_the_plot_stacks_and_marks_the_ceiling() -> None:
    """Foreground below, pilots on it; without colour by their characters."""
    lines = plot([PlotColumn(2, 4), None], 8, 6.0, 5, PAINT, "5 min").plain.split("\n")
    assert len(lines) == 5
    assert lines[0] == " 6.0┄┄┄"
    assert lines[1:4] == ["    │█ ", "    │█ ", "   0┤█ "]
    assert lines[4].strip().startswith("-5 min")
    plain = Palette("", "", "", "", colour=False)
    bars = plot([PlotColumn(2, 4)], 8, None, 5, plain, "5 min").plain.split("\n")
    assert [line[-1] for line in bars[:4]] == [" ", "▒", "▒", "█"]
