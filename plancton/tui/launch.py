"""Start the program: attached to a running engine, hosting one, or on a simulated node."""

from __future__ import annotations

from dataclasses import dataclass

from plancton.control.client import RemoteEngine
from plancton.control.transport import Transport, UnixTransport
from plancton.engine.model.operator import Mode
from plancton.service.assemble import EngineService, locked_service
from plancton.service.process.lock import holder
from plancton.service.process.paths import Paths, system_paths
from plancton.service.process.supervisor import ThreadSupervisor
from plancton.service.serve import log_end, running_service
from plancton.tui.app import PlanctonApp


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """How the program looks, and what it may do."""

    theme: str = "dark"
    readonly: bool = False


class SupervisedEngine:
    """The engine that this process hosts; implements ``HostedEngine``."""

    def __init__(self, service: EngineService, supervisor: ThreadSupervisor) -> None:
        """Host the engine of *service*, whose threads *supervisor* watches."""
        self.service, self.supervisor = service, supervisor

    @property
    def ended(self) -> bool:
        """Whether the engine has ended."""
        return self.supervisor.any_ended.is_set()

    @property
    def failure(self) -> str:
        """Why it died."""
        return self.supervisor.failure

    def leave_pilots(self) -> None:
        """End it, and leave its pilots."""
        self.service.engine.quit()

    def drain(self) -> None:
        """End it with its last pilot."""
        self.service.engine.request_mode(Mode.STOPPING)

    def kill_pilots(self) -> None:
        """Ask the pilots to go, and end it with the last."""
        self.service.engine.request_mode(Mode.ENDING)

    def stop_as_configured(self) -> None:
        """End it as ``node.on_stop`` says."""
        self.service.local_engine.stop()


def run(
    paths: Paths, display: DisplayOptions, log_level: str, *, attach: bool = False, own: bool
) -> int:
    """Show the engine of *paths*, or of the system's service, or host one; returns an exit code.

    With *attach* none is hosted; with *own* the system's service is none of ours.
    """
    for each in (paths,) if own else (paths, system_paths()):
        pid = holder(each.lock)
        if pid is not None:
            return _attach(each, pid, display)
    return _attach(paths, None, display) if attach else _host(paths, display, log_level)


def _attach(paths: Paths, pid: int | None, display: DisplayOptions) -> int:
    connection = f"attached to process {pid}" if pid else f"attached to {paths.socket}"
    return attach_to(UnixTransport(paths.socket), connection, display)


def attach_to(transport: Transport, connection: str, display: DisplayOptions) -> int:
    """Show the engine behind *transport*; returns an exit code."""
    engine = RemoteEngine(transport)
    engine.health()  # raises if we may not
    PlanctonApp(engine, connection, readonly=display.readonly, theme=display.theme).run()
    return 0


def _host(paths: Paths, display: DisplayOptions, log_level: str) -> int:
    with (
        locked_service(paths, log_level, screen=True) as service,
        running_service(service) as supervisor,
    ):
        hosted = SupervisedEngine(service, supervisor)
        app = PlanctonApp(
            service.local_engine,
            "hosting the engine",
            hosted=hosted,
            readonly=display.readonly,
            theme=display.theme,
        )
        app.run()
        if app.return_code:  # the program failed, not the engine
            hosted.leave_pilots()
        supervisor.any_ended.wait()
    return log_end(service, supervisor) or app.return_code or 0
