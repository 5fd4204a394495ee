"""Results of simulations as a table and as plots, for the terminal and as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from plancton.config.units import format_duration
from plancton.simulation.many_nodes import KINDS, FleetResult
from plancton.simulation.simulator import SimulationResult, UsageColumn

OWNER, PILOTS, IDLE = "blue", "green", "bright_black"
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def table(results: Sequence[SimulationResult]) -> Table:
    """Return the figures of all runs side by side."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("", no_wrap=True, min_width=36)
    for result in results:
        shown.add_column(result.name, justify="right")
    for name, values in _rows(results):
        shown.add_row(name, *values)
    return shown


def _rows(results: Sequence[SimulationResult]) -> list[tuple[str, list[str]]]:
    accounts = [result.account for result in results]
    rows = [
        ("harvested share of idle CPU", [_share(result.share) for result in results]),
        ("foreground slowdown", [f"{result.slowdown:.3f}" for result in results]),
        ("pilots started", [str(a.started) for a in accounts]),
        ("times a pilot was frozen", [str(a.frozen) for a in accounts]),
        ("pilots evicted", [str(a.evicted) for a in accounts]),
        ("work lost, core-h", [f"{a.lost / 3600:.2f}" for a in accounts]),
        ("longest reaction", [format_duration(a.reaction_max) for a in accounts]),
    ]
    causes = {cause for account in accounts for cause in account.missed}
    for cause in sorted(causes, key=lambda c: -max(a.missed.get(c, 0) for a in accounts)):
        hours = [f"{account.missed.get(cause, 0.0) / 3600:.2f}" for account in accounts]
        if any(float(each) for each in hours):
            rows.append((f"not harvested, core-h: {cause}", hours))
    return rows


def fleet_table(fleets: Sequence[FleetResult]) -> Table:
    """Return the figures of a fleet, under each configuration side by side."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column(f"SIMULATED, {fleets[0].hours:g} h", no_wrap=True)
    for fleet in fleets:
        shown.add_column(fleet.name, justify="right")
    columns = [list(_fleet_rows(fleet)) for fleet in fleets]
    for cells in zip(*columns, strict=True):
        shown.add_row(cells[0][0], *(value for _, value in cells))
    return shown


def _fleet_rows(fleet: FleetResult) -> Iterator[tuple[str, str]]:
    nodes, hours = fleet.nodes, fleet.hours
    started = fleet.total(lambda a: a.started)
    yield "nodes", f"{len(nodes):,}"
    yield "cores", f"{sum(node.ncpus for node in nodes):,}"
    yield "idle, core-h", f"{fleet.idle / 3600:,.0f}"
    yield "harvested, core-h", f"{fleet.harvested / 3600:,.0f}"
    yield "harvested share of idle CPU", _share(fleet.share)
    for kind in KINDS:
        part = fleet.of(kind)
        yield f"  of {len(part.nodes):,} nodes: {kind}", _share(part.share)
    yield "pilots started", f"{started:,.0f}"
    yield "pilots started an hour", f"{started / hours:,.0f}"
    yield "pilots started an hour and node", f"{started / hours / len(nodes):.1f}"
    yield "times a pilot was frozen", f"{fleet.total(lambda a: a.frozen):,.0f}"
    yield "pilots evicted", f"{fleet.total(lambda a: a.evicted):,.0f}"
    yield "work lost, core-h", f"{fleet.total(lambda a: a.lost) / 3600:,.0f}"
    yield "the simulation took", format_duration(round(fleet.took))


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def plot(columns: Sequence[UsageColumn], ncpus: int, height: int = 8) -> Text:
    """Return stacked bars: the owner below, pilots on top of it, one column a part of time."""
    text = Text(no_wrap=True)
    for line in range(height, 0, -1):
        low, high = (line - 1) * ncpus / height, line * ncpus / height
        text.append(f"{high:5.1f} ┤" if line in (height, 1) else "      │", style="dim")
        for column in columns:
            text.append(*_cell(column, low, high))
        text.append("\n")
    return text


def _cell(column: UsageColumn, low: float, high: float) -> tuple[str, str]:
    """Return the character and style of one cell: what it is filled with, up to where."""
    owner, both = column.foreground, column.foreground + column.own
    size = high - low
    if owner >= high - size / 16:
        return "█", OWNER
    if owner > low + size / 16:
        part = _EIGHTHS[round(8 * (owner - low) / size)]
        return part, f"{OWNER} on {PILOTS}" if both > owner + size / 4 else OWNER
    if both > low + size / 16:
        return _EIGHTHS[min(8, round(8 * (both - low) / size))], PILOTS
    return "·", IDLE


def rendered(results: Sequence[SimulationResult]) -> Group:
    """Return the whole answer: a plot for each run, and the table."""
    trace = results[0].trace
    long = format_duration(trace.seconds)
    title = Text.assemble(
        ("SIMULATED", "bold reverse"),
        f" {trace.name}: {trace.ncpus} cores, {long}. ",
        ("█", OWNER),
        " owner ",
        ("█", PILOTS),
        " pilots ",
        ("·", IDLE),
        " idle\n",
    )
    parts: list[Text | Table] = [title]
    for result in results:
        speed = f"{result.speed:,.0f} times faster than time"
        parts += [Text(f"{result.name} ({speed})", style="bold"), plot(result.columns, trace.ncpus)]
    return Group(*parts, table(results))


def print_results(results: Sequence[SimulationResult], svg: Path | None) -> None:
    """Print the answer, and write it as SVG too if asked."""
    Console(highlight=False).print(rendered(results))
    if svg is not None:
        paper = Console(record=True, width=100, file=StringIO(), force_terminal=True)
        paper.print(rendered(results))
        paper.save_svg(str(svg), title="plancton simulate")
