"""CPU over time."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from plancton.tui.moment import Moment
from plancton.tui.texts import load_legend
from plancton.tui.widgets.cached_static import CachedStatic, theme_colour
from plancton.tui.widgets.cpu_plot import SPANS, Palette, plot, plot_columns, plot_width


class CpuPane(Vertical):
    """CPU over time, stacked, with its legend."""

    def __init__(self, id: str, span: str) -> None:  # noqa: A002 (as textual calls it)
        """Begin with a *span* of time, by its name."""
        super().__init__(id=id)
        self.span = span

    def compose(self) -> ComposeResult:
        """Yield the plot and its legend."""
        yield CachedStatic(id="plot")
        yield CachedStatic(id="legend")

    def next_span(self) -> None:
        """Go back another span of time from the next moment on."""
        spans = list(SPANS)
        self.span = spans[(spans.index(self.span) + 1) % len(spans)]

    def show_moment(self, moment: Moment) -> None:
        """Draw the history up to a moment."""
        self.border_title = f"CPU, last {self.span} (t)"
        load = moment.snapshot.load if moment.snapshot else None
        ncpus = load.ncpus if load else 1
        ceiling = moment.snapshot.ceiling if moment.snapshot else None
        canvas = self.query_one("#plot", CachedStatic)
        width = plot_width(canvas.size.width)
        columns = plot_columns(moment.history, moment.now, SPANS[self.span], width)
        height = max(2, canvas.size.height)
        palette = self._palette()
        drawn = plot(columns, ncpus, ceiling, height, palette, self.span)
        canvas.show((drawn.plain, drawn.spans, palette), lambda: drawn)
        self.query_one("#legend", CachedStatic).show_lines([load_legend(moment)])

    def _palette(self) -> Palette:
        return Palette(
            foreground=theme_colour(self, "primary"),
            pilots=theme_colour(self, "success"),
            idle="dim",
            ceiling=theme_colour(self, "warning"),
            colour=not self.app.no_color,
        )
