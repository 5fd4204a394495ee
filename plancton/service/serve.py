"""Run the engine headless until it is told to stop."""

from __future__ import annotations

import faulthandler
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from plancton.control.broadcast import Broadcaster
from plancton.control.server import ControlServer
from plancton.service.assemble import Assembly
from plancton.service.local_engine import LocalEngine
from plancton.service.process.sd_notify import Notifier
from plancton.service.process.supervisor import ThreadSupervisor

log = logging.getLogger("plancton")
_UNTIL_READY = 0.05


def serve(parts: Assembly) -> int:
    """Run the engine, its helpers and the control socket; returns the process's exit code.

    SIGTERM and SIGINT do what ``node.on_stop`` says, a second one leaves the pilots and ends;
    SIGHUP reads the configuration again. SIGABRT, the watchdog's, shows what every thread did.
    """
    with running(parts) as supervisor, _signals(parts.local):
        _attend(supervisor, parts.local)
    return farewell(parts, supervisor)


def farewell(parts: Assembly, supervisor: ThreadSupervisor) -> int:
    """Log how it ended; returns the process's exit code."""
    if supervisor.failure:
        log.error("Plancton ends", extra={"fields": {"why": supervisor.failure}})
        return 1
    log.info("Plancton ends", extra={"fields": {"pilots_left": _left(parts)}})
    return 0


@contextmanager
def running(parts: Assembly) -> Iterator[ThreadSupervisor]:
    """Run the engine, its helpers and the control socket; yields what sees them end."""
    supervisor = ThreadSupervisor()
    with _control(parts, supervisor), _heard(parts.broadcaster):
        parts.start(supervisor)
        supervisor.start("engine", parts.engine.run)
        yield supervisor
    parts.stop()


def _attend(supervisor: ThreadSupervisor, local: LocalEngine) -> None:
    """Beat until it is over; what hangs is not said to be well, and so is restarted."""
    notifier = Notifier()
    while not supervisor.over.wait(notifier.every if notifier.ready else _UNTIL_READY):
        notifier.beat(local.engine.latest, local.health())
    notifier.stopping()


def _left(parts: Assembly) -> int:
    engine = parts.engine
    return len(engine.latest.pilots) if engine.latest and not engine.finished else 0


@contextmanager
def _control(parts: Assembly, supervisor: ThreadSupervisor) -> Iterator[None]:
    """Serve the control socket. It is no reason to stop the pilots if that cannot be."""
    server = ControlServer(parts.socket, parts.local)
    try:
        server.prepare()
    except OSError as error:
        log.warning("no control socket", extra={"fields": {"error": error}})
        yield
        return
    supervisor.start("control", server.run)
    try:
        yield
    finally:
        parts.broadcaster.close_streams()
        server.stop()


@contextmanager
def _heard(broadcaster: Broadcaster) -> Iterator[None]:
    logger = logging.getLogger("plancton")
    logger.addHandler(broadcaster)
    try:
        yield
    finally:
        logger.removeHandler(broadcaster)


@contextmanager
def _signals(local: LocalEngine) -> Iterator[None]:
    """Route signals to the engine, and put the old handlers back."""
    handlers = {
        signal.SIGTERM: lambda *_: local.stop(),
        signal.SIGINT: lambda *_: local.stop(),
        signal.SIGHUP: lambda *_: local.reload(),
    }
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    faulthandler.enable()
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
