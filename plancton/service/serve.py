"""Run the engine headless until it is told to stop."""

from __future__ import annotations

import faulthandler
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from plancton.control.broadcast import Broadcaster
from plancton.control.server import ControlServer
from plancton.service.assemble import EngineService
from plancton.service.local_engine import LocalEngine
from plancton.service.process.sd_notify import Notifier
from plancton.service.process.supervisor import ThreadSupervisor
from plancton.service.run_directory import RunDirectory

log = logging.getLogger("plancton")
_POLL_UNTIL_READY = 0.05


def serve(service: EngineService) -> int:
    """Run the engine, its helpers and the control socket; returns the process's exit code.

    SIGTERM and SIGINT do what ``node.on_stop`` says, a second one leaves the pilots and ends;
    SIGHUP reads the configuration again. SIGABRT, the watchdog's, shows what every thread did.
    """
    with running_service(service) as supervisor, _signal_handlers(service.local_engine):
        _notify_until_over(supervisor, service.local_engine)
    return log_end(service, supervisor)


def log_end(service: EngineService, supervisor: ThreadSupervisor) -> int:
    """Log how it ended; returns the process's exit code."""
    if supervisor.failure:
        log.error("Plancton ends", extra={"fields": {"why": supervisor.failure}})
        return 1
    log.info("Plancton ends", extra={"fields": {"pilots_left": _pilots_left(service)}})
    return 0


@contextmanager
def running_service(service: EngineService) -> Iterator[ThreadSupervisor]:
    """Run the engine, its helpers and the control socket; yields what sees them end."""
    supervisor = ThreadSupervisor()
    with _files(service, supervisor), _streaming_log(service.broadcaster):
        service.start(supervisor)
        supervisor.start("engine", service.engine.run)
        yield supervisor
    service.stop()


def _notify_until_over(supervisor: ThreadSupervisor, local_engine: LocalEngine) -> None:
    """Report until it is over; what hangs is not said to be well, and so is restarted."""
    notifier = Notifier()
    pause = _POLL_UNTIL_READY
    while not supervisor.any_ended.wait(pause):
        notifier.report(local_engine.engine.latest, local_engine.health())
        pause = notifier.interval if notifier.ready else _POLL_UNTIL_READY
    notifier.stopping()


def _pilots_left(service: EngineService) -> int:
    engine = service.engine
    return len(engine.latest.pilots) if engine.latest and not engine.finished else 0


@contextmanager
def _files(service: EngineService, supervisor: ThreadSupervisor) -> Iterator[None]:
    """Serve the control socket, and keep it and the locks where verbs look for them.

    It is no reason to stop the pilots if that cannot be.
    """
    server = ControlServer(service.socket, service.local_engine)
    run_directory = RunDirectory(service.locks, service.markers, server)
    try:
        server.prepare()
    except OSError as error:
        log.warning("no control socket", extra={"fields": {"error": error}})
    supervisor.start("control", server.run)
    keeper = supervisor.start("run directory", run_directory.run)
    try:
        yield
    finally:
        run_directory.stop()
        keeper.join()  # else it might take a lock that has just been given back
        service.broadcaster.close_streams()
        server.stop()


@contextmanager
def _streaming_log(broadcaster: Broadcaster) -> Iterator[None]:
    logger = logging.getLogger("plancton")
    logger.addHandler(broadcaster)
    try:
        yield
    finally:
        logger.removeHandler(broadcaster)


@contextmanager
def _signal_handlers(local_engine: LocalEngine) -> Iterator[None]:
    """Route signals to the engine, and put the old handlers back."""
    handlers = {
        signal.SIGTERM: lambda *_: local_engine.stop(),
        signal.SIGINT: lambda *_: local_engine.stop(),
        signal.SIGHUP: lambda *_: local_engine.reload(),
    }
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    faulthandler.enable()
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
