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
class Look:
    """How the program looks, and what it may do."""

    theme: str = "dark"
    readonly: bool = False


class Hosted:
    """Implements ``Host``."""

    def __init__(self, parts: EngineService, supervisor: ThreadSupervisor) -> None:
        """Host the engine of *parts*, whose threads *guard* watches."""
        self.parts, self.supervisor = parts, supervisor

    @property
    def over(self) -> bool:
        """Whether the engine has ended."""
        return self.supervisor.any_ended.is_set()

    @property
    def failure(self) -> str:
        """Why it died."""
        return self.supervisor.failure

    def leave(self) -> None:
        """End it, and leave its pilots."""
        self.parts.engine.quit()

    def drain(self) -> None:
        """End it with its last pilot."""
        self.parts.engine.request_mode(Mode.STOPPING)

    def kill(self) -> None:
        """Ask the pilots to go, and end it with the last."""
        self.parts.engine.request_mode(Mode.ENDING)

    def hang_up(self) -> None:
        """End it as ``node.on_stop`` says."""
        self.parts.local_engine.stop()


def run(paths: Paths, look: Look, log_level: str, *, attach: bool = False, own: bool) -> int:
    """Show the engine of *paths*, or of the system's service, or host one; returns an exit code.

    With *attach* none is hosted; with *own* the system's service is none of ours.
    """
    for each in (paths,) if own else (paths, system_paths()):
        pid = holder(each.lock)
        if pid is not None:
            return _attached(each, pid, look)
    return _attached(paths, None, look) if attach else _hosting(paths, look, log_level)


def _attached(paths: Paths, pid: int | None, look: Look) -> int:
    place = f"attached to process {pid}" if pid else f"attached to {paths.socket}"
    return attach_to(UnixTransport(paths.socket), place, look)


def attach_to(transport: Transport, place: str, look: Look) -> int:
    """Show the engine behind *transport*; returns an exit code."""
    engine = RemoteEngine(transport)
    engine.health()  # raises if we may not
    PlanctonApp(engine, place, readonly=look.readonly, theme=look.theme).run()
    return 0


def _hosting(paths: Paths, look: Look, log_level: str) -> int:
    with (
        locked_service(paths, log_level, screen=True) as parts,
        running_service(parts) as supervisor,
    ):
        host = Hosted(parts, supervisor)
        place = "hosting the engine"
        app = PlanctonApp(
            parts.local_engine, place, host=host, readonly=look.readonly, theme=look.theme
        )
        app.run()
        if app.return_code:  # the program failed, not the engine
            host.leave()
        supervisor.any_ended.wait()
    return log_end(parts, supervisor) or app.return_code or 0
