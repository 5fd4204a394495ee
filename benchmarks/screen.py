"""The screen: from a key to its effect, the cost of a refresh, and bytes to the terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import statistics
import struct
import sys
import termios
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fcntl import ioctl
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import DataTable

from plancton.config.schema import Config
from plancton.control.client import RemoteEngine
from plancton.engine.model.operator import Mode
from plancton.engine.views.snapshot import Snapshot
from plancton.simulation.simulator import Simulation
from plancton.simulation.trace import synthetic_trace
from plancton.tui.app import PlanctonApp
from plancton.tui.widgets.pilot_rows import PilotRow, shown_columns

_SIZE = (160, 50)
_TIMES = 8
Row = Callable[..., None]


def screen(socket: Path, row: Row) -> None:
    """Measure on the running engine behind *socket*, which has pilots, and on a made-up node."""
    asyncio.run(_keys(RemoteEngine(socket), row))
    asyncio.run(_refresh(row))
    _bytes(row)


async def _keys(engine: RemoteEngine, row: Row) -> None:
    """From a key to the word on the screen, beside the same order without a screen."""
    bare = [await asyncio.to_thread(_order, engine, mode) for mode in _orders()]
    app = PlanctonApp(engine, "measured")
    took = []
    async with app.run_test(size=_SIZE) as pilot:
        while app.snapshot is None:
            await pilot.pause(0.01)
        await pilot.pause(0.5)
        for mode in _orders():
            began = time.perf_counter()
            app.simulate_key("d" if mode is Mode.DRAINING else "u")
            while f"● {mode.value.upper()}" not in _top(app):
                await asyncio.sleep(0.001)
            took.append(time.perf_counter() - began)
    shown, floor = statistics.median(took), statistics.median(bare)
    beside = f"the same order and snapshot without a screen {1000 * floor:.0f} ms: ratio"
    row(
        "from a key to its effect on the screen",
        f"{1000 * shown:.0f} ms",
        f"{beside} {shown / floor:.2f}",
    )


def _orders() -> list[Mode]:
    return [Mode.DRAINING, Mode.ACTIVE] * (_TIMES // 2)


def _order(engine: RemoteEngine, mode: Mode) -> float:
    """Return the seconds from an order to the snapshot that shows it, by the stream."""
    stream = engine.stream()
    next(stream)
    began = time.perf_counter()
    engine.order(mode)
    for item in stream:
        if isinstance(item, Snapshot) and item.mode is mode:
            break
    took = time.perf_counter() - began
    stream.close()  # type: ignore[attr-defined]
    return took


def _top(app: App[None]) -> str:
    return app.screen._compositor.render_strips()[0].text


def crowd(count: int) -> Snapshot:
    """Return a snapshot with so many pilots."""
    seen: list[Snapshot] = []
    simulation = Simulation(Config(), synthetic_trace("idle", 8), subscriber=seen.append)
    for _, _ in zip(range(40), simulation.ticks(), strict=False):
        pass
    one = seen[-1].pilots[0]
    pilots = tuple(
        replace(one, id=f"{n:064x}", name=f"plancton-{n}", slot=n, age=one.age + n)
        for n in range(count)
    )
    return replace(seen[-1], pilots=pilots)


class _Table(App[None]):
    """The peer: the same cells in textual's own table, of which only changed ones are updated."""

    def compose(self) -> ComposeResult:
        yield DataTable[str]()

    def fill(self, snapshot: Snapshot, since: float) -> None:
        table = self.query_one(DataTable)
        columns = shown_columns(_SIZE[0])
        if not table.columns:
            for column in columns:
                table.add_column(column.title, key=column.title, width=min(column.width, 40))
            for pilot in snapshot.pilots:
                cells = [column.cell(PilotRow(pilot)) for column in columns]
                table.add_row(*cells, key=pilot.id)
        for pilot in snapshot.pilots:
            line, old = PilotRow(pilot, since), PilotRow(pilot, since - 1)
            for column in columns:
                if column.cell(line) != column.cell(old):
                    table.update_cell(pilot.id, column.title, column.cell(line))


async def _refresh(row: Row) -> None:
    """Refresh once a second with 10 and 500 pilots, beside the peer; CPU time of all of it."""
    few, many = [await _ours(crowd(count)) for count in (10, 500)]
    peer, snapshot = _Table(), crowd(500)
    async with peer.run_test(size=_SIZE) as pilot:
        peer.fill(snapshot, 0)
        await pilot.pause(0.3)

        async def refresh(second: int) -> None:
            peer.fill(snapshot, second)
            await pilot.pause()

        theirs = await _cost(refresh)
    beside = f"10 pilots {1000 * few:.1f} ms; textual's DataTable {1000 * theirs:.1f} ms"
    value = f"{1000 * many:.1f} ms CPU"
    row("a refresh of the screen, 500 pilots", value, f"{beside}: ratio {many / theirs:.2f}")


async def _ours(snapshot: Snapshot) -> float:
    moment = [snapshot.wall]
    nobody = RemoteEngine(Path("/nonexistent.sock"))
    app = PlanctonApp(nobody, "measured", clock=lambda: moment[0])
    async with app.run_test(size=_SIZE) as pilot:
        app.snapshot = snapshot
        await pilot.pause(0.3)

        async def refresh(second: int) -> None:
            moment[0] = snapshot.wall + second
            app.draw()
            await pilot.pause()

        return await _cost(refresh)


async def _cost(refresh: Callable[[int], Awaitable[None]]) -> float:
    costs = []
    for second in range(1, 21):
        began = time.process_time()
        await refresh(second)
        costs.append(time.process_time() - began)
    return statistics.median(costs)


def _bytes(row: Row) -> None:
    """Count what a terminal is sent in ten seconds, beside what one whole screen takes."""
    command = [str(Path(sys.executable).with_name("plancton")), "demo", "--speed", "1"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], [*command, "--cores", "64", "--for", "25"])  # noqa: S606
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _SIZE[1], _SIZE[0], 0, 0))
    began, first, later = time.monotonic(), 0, 0
    while (now := time.monotonic() - began) < 20:
        try:
            size = len(os.read(terminal, 65536))
        except OSError:
            break
        if now < 10:
            first += size
        else:
            later += size
    os.kill(pid, 15)
    while True:
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    beside = f"start and first screens {first / 1000:.0f} kB"
    row("bytes to the terminal, 64 pilots", f"{later / 10 / 1000:.1f} kB/s", beside)
