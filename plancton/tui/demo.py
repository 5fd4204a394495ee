"""The program on a simulated node: the real engine at work where no container runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from plancton.config.load import load_text
from plancton.config.schema import Config
from plancton.control.broadcast import Broadcaster
from plancton.engine.model.operator import Mode
from plancton.engine.ports import ActionError
from plancton.service.local_engine import LocalEngine
from plancton.simulation.simulator import Simulation
from plancton.simulation.trace import synthetic_trace
from plancton.tui.app import PlanctonApp
from plancton.tui.launch import DisplayOptions
from plancton.tui.widgets.cpu_plot import SPANS


class _ModeInMemory:
    """The operator's mode, kept in memory."""

    def __init__(self) -> None:
        self._mode = Mode.ACTIVE

    def mode(self) -> Mode:
        return self._mode

    def order(self, mode: Mode) -> None:
        self._mode = mode

    def fulfilled(self, mode: Mode) -> None:  # noqa: ARG002 (a port)
        self._mode = Mode.ACTIVE


class SimulatedEngine(LocalEngine):
    """An engine on a simulated node, whose time goes *speed* times faster."""

    def __init__(self, speed: float, cores: int) -> None:
        """Prepare an office machine's day; nothing runs before ``start``."""
        broadcaster, orders = Broadcaster(), _ModeInMemory()
        self.simulation = simulation = Simulation(
            Config(),
            synthetic_trace("day", cores),
            name="demo",
            subscriber=broadcaster,
            mode_store=orders,
        )
        super().__init__(
            simulation.engine,
            orders,
            broadcaster,
            _no_output,
            build_config=lambda text, **_: load_text(text, "the candidate").config,
        )
        self.speed = speed
        self._stopped = threading.Event()
        self._started_at = time.monotonic()
        self._first_wall = simulation.node.wall()

    def wall(self) -> float:
        """Return the simulated wall clock, between ticks too."""
        return self._first_wall + (time.monotonic() - self._started_at) * self.speed

    def start(self) -> None:
        """Let time pass, on a thread of its own."""
        logger = logging.getLogger("plancton")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(self.broadcaster)
        self._started_at = time.monotonic()
        threading.Thread(target=self._run, name="engine", daemon=True).start()

    def end(self) -> None:
        """End it, and the streams that read it."""
        self._stopped.set()
        self.broadcaster.close_streams()

    def _run(self) -> None:
        for _ in self.simulation.ticks():
            ahead = (self.simulation.node.wall() - self.wall()) / self.speed
            if self._stopped.is_set():
                return
            if ahead > 0:
                self._stopped.wait(min(ahead, 1.0))


def demo(speed: float, seconds: float, cores: int, display: DisplayOptions) -> None:
    """Show a working day of an office machine, *speed* times faster than time."""
    engine = SimulatedEngine(speed, cores)
    engine.start()
    connection = f"SIMULATED, {speed:g} times faster: no container runs"
    span = next((name for name, long in SPANS.items() if long >= 30 * speed), "1 day")
    app = PlanctonApp(
        engine,
        connection,
        readonly=display.readonly,
        theme=display.theme,
        span=span,
        clock=engine.wall,
    )
    alarm = threading.Timer(seconds, lambda: app.call_from_thread(app.exit))
    alarm.daemon = True
    alarm.start()
    try:
        app.run()
    finally:
        alarm.cancel()
        engine.end()


def _no_output(id_: str, *, tail: int, follow: bool) -> Iterator[bytes]:
    """Refuse: no container runs."""
    del id_, tail, follow
    raise ActionError("this node is simulated: no container runs, so none writes anything")
