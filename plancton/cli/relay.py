"""The hidden verb that ssh runs on a node for ``--host``."""

from __future__ import annotations

from plancton.cli.options import RunDir, paths_of


def relay(rundir: RunDir = None) -> None:
    """Relay standard input and output to the control socket; what ssh runs for --host."""
    from plancton.control.stdio_bridge import relay as run
    from plancton.control.transport import UnixTransport
    from plancton.service.process.lock import holder, no_engine_error
    from plancton.service.process.paths import system_paths

    places = [paths_of(rundir=rundir)]
    # As the screen does: who has no engine of his own means the machine's.
    places += [] if rundir else [system_paths()]
    for each in places:
        if holder(each.lock) is not None:
            run(UnixTransport(each.socket))
            return
    raise no_engine_error(places[0].lock)
