"""The engine that runs in this program's own process."""

from __future__ import annotations

from typing import Protocol


class HostedEngine(Protocol):
    """An engine that ends with this program, in one way or another."""

    @property
    def ended(self) -> bool:
        """Whether it has ended."""

    @property
    def failure(self) -> str:
        """Why it died; empty: it did not."""

    def leave_pilots(self) -> None:
        """End it, and leave its pilots."""

    def drain(self) -> None:
        """End it with its last pilot."""

    def kill_pilots(self) -> None:
        """Ask the pilots to go, and end it with the last."""

    def stop_as_configured(self) -> None:
        """End it as is configured for SIGTERM: nobody is here to be asked."""
