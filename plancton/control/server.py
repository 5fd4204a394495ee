"""The control socket's server: the engine's API, offered as HTTP on a Unix socket.

Who may open the socket's file may use it; nothing else is asked. Its threads only read what the
engine published and put messages into its mailbox, so no client can hold the engine up.
"""

from __future__ import annotations

import grp
import os
import socket
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from plancton import __version__
from plancton.control.api import MAX_SLOW, MAX_STREAMS, ControlApi
from plancton.control.protocol import MAX_BODY
from plancton.control.unix_address import short_address
from plancton.engine.api import EngineApi
from plancton.http_server import HttpServer

GROUP = "plancton"
_QUICK = 4
"""Threads for requests that only need a moment: all others together leave so many free."""
_MAX_CONNECTIONS = 256
"""Well below the 1024 files that a process may usually open."""


class ControlServer:
    """Serves the API on a socket that root and the group ``plancton`` may use."""

    def __init__(self, path: Path, engine: EngineApi, *, timeout: float = 10.0) -> None:
        """Prepare; nothing listens yet. *timeout* is for each step of a client, in seconds."""
        self.path, self._timeout = path, timeout
        self._api = ControlApi(engine)
        self._server: HttpServer | None = None
        self._to_run: SimpleQueue[tuple[HttpServer, socket.socket] | None] = SimpleQueue()
        self._file: os.stat_result | None = None
        self._has_ended = False

    def prepare(self) -> None:
        """Listen; the rights are set before anybody can connect. Raises OSError."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.path.unlink(missing_ok=True)  # the lock says that nobody serves it
            with short_address(self.path) as address:
                listener.bind(address)
            share_with_group(self.path)
            self._file = self.path.lstat()
            listener.listen()
        except OSError:
            listener.close()
            raise
        self._server = HttpServer(
            self._api,
            name="control",
            workers=MAX_SLOW + _QUICK,
            max_connections=_MAX_CONNECTIONS,
            max_body=MAX_BODY,
            max_streams=MAX_STREAMS,
            timeout=self._timeout,
            headers={"Plancton-Version": __version__},
        )
        self._to_run.put((self._server, listener))

    @property
    def in_place(self) -> bool:
        """Whether the file at the path is the socket that this listens on."""
        try:
            return self._file is not None and os.path.samestat(self._file, self.path.lstat())
        except OSError:
            return False

    def renew(self) -> None:
        """Listen anew, if the socket is not in place; OSError. Who was connected is dropped."""
        if not self.in_place and not self._has_ended:
            if self._server is not None:
                self._server.stop()
            self.prepare()

    def run(self) -> None:
        """Serve until ``stop``, whenever ``prepare`` or ``renew`` came before."""
        try:
            while (prepared := self._to_run.get()) is not None:
                server, listener = prepared
                server.run(listener)
        finally:
            self._remove_file()

    def stop(self) -> None:
        """End ``run``, in another thread; nobody is let in any more."""
        self._has_ended = True
        self._remove_file()
        if self._server is not None:
            self._server.stop()
        self._to_run.put(None)

    def _remove_file(self) -> None:
        if self.in_place:
            self.path.unlink(missing_ok=True)


def share_with_group(path: Path) -> None:
    """Let root's group ``plancton`` use the socket; without it, and for users, the owner only."""
    mode = 0o600
    with suppress(KeyError, PermissionError):
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        mode = 0o660
    path.chmod(mode)
