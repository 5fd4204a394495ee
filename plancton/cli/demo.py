"""Plancton at work on a simulated node, for people who want to see it before they install it."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from plancton.cli.render import pilots_text, status_text
from plancton.config.schema import Config
from plancton.engine.snapshot import Snapshot
from plancton.simulation.run import Column, Simulation
from plancton.simulation.show import plot
from plancton.simulation.trace import synthetic

_FRAMES = 8
_STATUS = 5
_AROUND, _BESIDE = 20, 14
"""Lines and columns of a frame that are neither pilots nor events nor plot."""


def run(speed: float, seconds: float, cores: int) -> None:
    """Show a working day of an office machine, *speed* times faster than time."""
    seen: deque[Snapshot] = deque(maxlen=1)
    trace = synthetic("day", cores)
    simulation = Simulation(Config(), trace, name="demo", subscriber=seen.append)
    console, began, shown = Console(), time.monotonic(), 0.0
    columns: deque[Column] = deque(maxlen=max(20, console.width - _BESIDE))
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        node = simulation.node
        start = node.now()
        for _ in simulation.ticks():
            wait = (node.now() - start) / speed - (time.monotonic() - began)
            if time.monotonic() - began > seconds:
                break
            if seen and (wait > 0 or node.now() - start >= shown):
                shown = node.now() - start + speed / _FRAMES
                load = seen[0].load
                if load is not None:
                    columns.append(Column(load.foreground, load.own))
                live.update(_frame(seen[0], columns, cores, speed, console.height), refresh=True)
            if wait > 0:
                time.sleep(min(wait, 1.0))


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _frame(
    snapshot: Snapshot, columns: deque[Column], cores: int, speed: float, height: int
) -> RenderableType:
    clock = time.strftime("%a %H:%M:%S", time.gmtime(snapshot.wall))
    head = Text.assemble(
        ("SIMULATED", "bold reverse"),
        ("  No container runs.", "bold"),
        f"  {clock}, {speed:g} times faster than time\n",
    )
    status = [
        line
        for line in status_text(snapshot).splitlines()
        if line.split()[0] in ("mode", "cpu", "pilots", "today", "why")
    ][:_STATUS]
    table = pilots_text(snapshot).splitlines()
    space = max(4, height - _AROUND)
    said = min(5, space // 2)
    pilots = space - said
    rest = len(table) - 1 - pilots
    more = [f"... and {rest} more"] * (rest > 0)
    events = [event.text for event in snapshot.events][-said:]
    parts: tuple[Text | str, ...] = (
        plot(list(columns), cores, 6),
        *status,
        "",
        *table[: 1 + pilots],
        *more,
        "",
        *events,
    )
    lines = [_line(part) if isinstance(part, str) else part for part in parts]
    return Panel(Group(head, *lines), title="plancton demo", title_align="left")
