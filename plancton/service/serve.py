"""Run the engine headless until it is told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from types import FrameType

from plancton.engine.engine import Engine
from plancton.engine.model import Mode
from plancton.service.assemble import Assembly
from plancton.service.guard import Guard

log = logging.getLogger("plancton")
_ON_STOP = {"drain": Mode.STOPPING, "kill": Mode.ENDING}


def serve(parts: Assembly) -> int:
    """Run the engine and its helpers; returns the process's exit code.

    SIGTERM and SIGINT do what ``node.on_stop`` says, a second one leaves the pilots and ends;
    SIGHUP reads the configuration again; SIGUSR1 looks at the orders at once.
    """
    engine, guard = parts.engine, Guard()
    with _signals(engine, parts.on_stop):
        parts.start(guard)
        guard.start("engine", engine.run)
        guard.over.wait()
    parts.stop()
    if guard.failure:
        log.error("Plancton ends", extra={"fields": {"why": guard.failure}})
        return 1
    log.info("Plancton ends", extra={"fields": {"pilots_left": _left(engine)}})
    return 0


def _left(engine: Engine) -> int:
    return len(engine.latest.pilots) if engine.latest and not engine.finished else 0


class _signals:  # noqa: N801 (a context manager, named like a function)
    """Routes signals to the engine, and puts the old handlers back."""

    def __init__(self, engine: Engine, on_stop: Callable[[], str]) -> None:
        self.engine, self.on_stop, self.stops = engine, on_stop, 0

    def __enter__(self) -> None:
        handlers = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: lambda *_: self.engine.reload(),
            signal.SIGUSR1: lambda *_: self.engine.wake(),
        }
        self.old = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def __exit__(self, *_: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1
        mode = _ON_STOP.get(self.on_stop())
        if mode is None or self.stops > 1:
            self.engine.quit()
        else:
            self.engine.ask(mode)
