"""Tell the service manager how we are, by the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from plancton.engine.views.snapshot import Snapshot

IDLE_INTERVAL = 10.0


class Notifier:
    """Says READY once, WATCHDOG while the engine is well, and a status line when it changes."""

    def __init__(self) -> None:
        """Read the environment; without a manager nothing is ever sent."""
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        watchdog = os.environ.get("WATCHDOG_USEC", "")
        self._has_watchdog = watchdog.isdecimal()
        self.interval = max(0.1, int(watchdog) / 3e6) if self._has_watchdog else IDLE_INTERVAL
        """Seconds between two reports."""
        self.ready = False
        self._status = ""

    def report(self, snapshot: Snapshot | None, problem: str) -> None:
        """Tell of this moment; nothing is said while there is a *problem*."""
        if snapshot is None or problem:
            return
        lines = [] if self.ready else ["READY=1", f"MAINPID={os.getpid()}"]
        lines += ["WATCHDOG=1"] if self._has_watchdog else []
        status = status_line(snapshot)
        lines += [f"STATUS={status}"] if status != self._status else []
        self.ready, self._status = True, status
        self._send(lines)

    def stopping(self) -> None:
        """Say that the end has begun."""
        if not self.ready:  # a manager that saw no READY would take the end for a failure
            self._send(["READY=1"])
        self._send(["STOPPING=1"])

    def _send(self, lines: list[str]) -> None:
        if not self._address or not lines:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(lines).encode(), name)


def status_line(snapshot: Snapshot) -> str:
    """Return the node in one line."""
    if snapshot.degraded:
        return f"degraded: {snapshot.degraded}"
    live = sum(pilot.state in ("running", "frozen", "starting") for pilot in snapshot.pilots)
    return f"{snapshot.mode.value}: {live} of at most {snapshot.maximum} pilots"
