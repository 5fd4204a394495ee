"""How a client gets to a control socket: by its path here; see ``ssh`` for other machines."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plancton.control.unix_address import reachable
from plancton.engine.errors import NotRunningError


@dataclass(slots=True)
class Wire:
    """A connection, while one request is made."""

    socket: socket.socket
    again: bool = False
    """Whether it is left fit for another request."""


class Transport(Protocol):
    """Opens connections to one control socket."""

    @property
    def place(self) -> str:
        """Where it is, for people."""

    @property
    def timeout(self) -> float:
        """Seconds an answer may take."""

    def connected(self, timeout: float) -> AbstractContextManager[Wire]:
        """Yield a connection that is nobody else's.

        Raises NotRunningError if no engine listens, UnreachableError, PermissionError.
        """


@dataclass(frozen=True, slots=True)
class UnixTransport:
    """Implements ``Transport`` on a socket of this machine."""

    path: Path
    timeout: float = 5.0

    @property
    def place(self) -> str:
        """The socket's path."""
        return str(self.path)

    @contextmanager
    def connected(self, timeout: float) -> Iterator[Wire]:
        """Yield a connection."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(timeout)
            self._connect(wire)
            yield Wire(wire)

    def _connect(self, wire: socket.socket) -> None:
        try:
            with reachable(self.path) as address:
                wire.connect(address)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NotRunningError(f"no engine listens at {self.path}") from None
        except PermissionError:
            raise PermissionError(
                1,
                "permission denied: this control socket is for its owner, root and the group "
                "plancton (sudo usermod -aG plancton $USER, then log in again)",
                str(self.path),
            ) from None
