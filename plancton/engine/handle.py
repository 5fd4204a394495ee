"""How the TUI and the command line hold an engine, wherever it runs."""

from __future__ import annotations

from typing import Protocol

from plancton.engine.model import Mode
from plancton.engine.snapshot import Snapshot


class NotRunningError(Exception):
    """No engine runs on this node."""


class Handle(Protocol):
    """An engine, in this process or another."""

    def snapshot(self) -> Snapshot:
        """Return its newest snapshot; NotRunningError if there is none."""

    def order(self, mode: Mode) -> None:
        """Set the operator's standing word; kept for the next start if no engine runs."""

    def reload(self) -> None:
        """Have the configuration read again; NotRunningError if no engine runs."""
