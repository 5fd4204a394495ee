"""How a client gets to a control socket here; ``ssh_transport`` gets to other machines."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plancton.control.unix_address import short_address
from plancton.engine.errors import NotRunningError

_CROWD_PAUSE = 0.02


@dataclass(slots=True)
class Connection:
    """A connection, while one request is made."""

    socket: socket.socket
    reusable: bool = False
    """Whether it is left fit for another request."""


class Transport(Protocol):
    """Opens connections to one control socket."""

    @property
    def place(self) -> str:
        """Where it is, for people."""

    @property
    def timeout(self) -> float:
        """Seconds an answer may take."""

    def connect(self, timeout: float) -> AbstractContextManager[Connection]:
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
    def connect(self, timeout: float) -> Iterator[Connection]:
        """Yield a connection."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.settimeout(timeout)
            self._connect(made)
            yield Connection(made)

    def _connect(self, made: socket.socket) -> None:
        try:
            with short_address(self.path) as address:
                _connect_when_possible(made, address)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NotRunningError(f"no engine listens at {self.path}") from None
        except PermissionError:
            raise PermissionError(
                1,
                "permission denied: this control socket is for its owner, root and the group "
                "plancton (sudo usermod -aG plancton $USER, then log in again)",
                str(self.path),
            ) from None


def _connect_when_possible(made: socket.socket, address: str) -> None:
    """Connect within the socket's time-out; a crowd before the server is waited for.

    The kernel does so for a socket without a time-out only. Raises TimeoutError, OSError.
    """
    end = time.monotonic() + (made.gettimeout() or 0.0)
    while True:
        try:
            made.connect(address)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(_CROWD_PAUSE)
        else:
            return
