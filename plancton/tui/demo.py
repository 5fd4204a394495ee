"""The program on a simulated node: the real engine at work where no container runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from plancton.config.load import load_text
from plancton.config.schema import Config
from plancton.control.broadcast import Broadcaster
from plancton.engine.api import RefusedError
from plancton.engine.model.operator import Mode
from plancton.service.local_engine import LocalEngine
from plancton.simulation.simulator import Simulation
from plancton.simulation.trace import synthetic_trace
from plancton.tui.app import PlanctonApp
from plancton.tui.launch import Look
from plancton.tui.plot import SPANS

_FRAME = 0.1


class _ModeInMemory:
    """The operator's standing word, kept in memory."""

    def __init__(self) -> None:
        self._mode = Mode.ACTIVE

    def mode(self) -> Mode:
        return self._mode

    def order(self, mode: Mode) -> None:
        self._mode = mode

    def fulfilled(self, mode: Mode) -> None:  # noqa: ARG002 (a port)
        self._mode = Mode.ACTIVE


class SimulatedEngine(LocalEngine):
    """A handle of an engine on a simulated node, whose time goes *speed* times faster."""

    def __init__(self, speed: float, cores: int) -> None:
        """Prepare an office machine's day; nothing runs before ``start``."""
        broadcaster, word = Broadcaster(), _ModeInMemory()
        self.simulation = simulation = Simulation(
            Config(),
            synthetic_trace("day", cores),
            name="demo",
            subscriber=broadcaster,
            mode_store=word,
        )
        super().__init__(
            simulation.engine,
            word,
            broadcaster,
            "",
            build_config=lambda text, **_: load_text(text, "the candidate").config,
        )
        self.speed = speed
        self.over = threading.Event()
        self._began = time.monotonic()
        self._first = simulation.node.wall()

    def wall(self) -> float:
        """Return the simulated wall clock, between ticks too."""
        return self._first + (time.monotonic() - self._began) * self.speed

    def logs(self, pilot: str, *, tail: int, follow: bool) -> Iterator[bytes]:  # noqa: ARG002
        """Refuse: no container runs."""
        raise RefusedError("this node is simulated: no container runs, so none writes anything")

    def start(self) -> None:
        """Let time pass, on a thread of its own."""
        logger = logging.getLogger("plancton")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(self.broadcaster)
        self._began = time.monotonic()
        threading.Thread(target=self._run, name="engine", daemon=True).start()

    def _run(self) -> None:
        for _ in self.simulation.ticks():
            ahead = (self.simulation.node.wall() - self.wall()) / self.speed
            if self.over.is_set():
                return
            if ahead > 0:
                self.over.wait(min(ahead, 1.0))


def demo(speed: float, seconds: float, cores: int, look: Look) -> None:
    """Show a working day of an office machine, *speed* times faster than time."""
    engine = SimulatedEngine(speed, cores)
    engine.start()
    place = f"SIMULATED, {speed:g} times faster: no container runs"
    span = next((name for name, long in SPANS.items() if long >= 30 * speed), "1 day")
    app = PlanctonApp(
        engine, place, readonly=look.readonly, theme=look.theme, span=span, clock=engine.wall
    )
    alarm = threading.Timer(seconds, lambda: app.call_from_thread(app.exit))
    alarm.daemon = True
    alarm.start()
    try:
        app.run()
    finally:
        alarm.cancel()
        engine.over.set()
        engine.broadcaster.close_streams()
