"""The control socket of another machine, through the system's ssh.

As Docker's client does it: ssh runs a hidden verb there that relays its standard input and output
to the socket. Who may log in there and use the socket may use it from here, nobody else.
"""

from __future__ import annotations

import http.client
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from plancton.control.ssh_host import SshHost, failure_of, printable_line
from plancton.control.transport import Connection
from plancton.engine.api import UnreachableError

RELAY = "relay"
"""The hidden verb."""
_END_TIMEOUT = 3.0
"""Seconds an ssh has to end when it is no longer needed."""


@dataclass(frozen=True, slots=True)
class _Session:
    """One ssh, and our end of what it relays."""

    socket: socket.socket
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]

    def is_usable(self) -> bool:
        """Say whether it may be asked again: one that has ended can be read."""
        return not select.select([self.socket], [], [], 0)[0]

    def end(self) -> None:
        """End the relay and with it ssh: one that others share as their master is not cut."""
        with suppress(OSError):  # closed already
            self.socket.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.socket.close()
        self.stderr.close()


@dataclass(frozen=True, slots=True)
class SshTransport:
    """Implements ``Transport`` on a socket of another machine.

    To log in takes long, so a connection is used again; the last one ends with this process.
    """

    target: SshHost
    rundir: Path | None = None
    """The engine's run directory there; None: the usual one."""
    batch: bool = True
    """ssh asks for nothing: no password, no word on an unknown host key."""
    timeout: float = 30.0
    """Long enough to log in and to start a program there."""
    _idle: list[_Session] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The machine."""
        return str(self.target)

    @contextmanager
    def connect(self, timeout: float) -> Iterator[Connection]:
        """Yield a connection that is nobody else's."""
        session = self._idle_session() or self._new_session()
        session.socket.settimeout(timeout)
        connection = Connection(session.socket)
        try:
            yield connection
        except TimeoutError:
            raise UnreachableError(f"{self.place}: it does not answer") from None
        except (ConnectionError, http.client.HTTPException) as error:
            raise self._failure(session, error) from None
        finally:
            if connection.reusable:
                self._idle.append(session)
            else:
                session.end()

    def close(self) -> None:
        """End the connections that are kept."""
        while self._idle:
            self._idle.pop().end()

    def _idle_session(self) -> _Session | None:
        with suppress(IndexError):
            while True:
                session = self._idle.pop()
                if session.is_usable():
                    return session
                session.end()
        return None

    def _new_session(self) -> _Session:
        rundir = ("--rundir", str(self.rundir)) if self.rundir else ()
        command = self.target.command((RELAY, *rundir), batch=self.batch)
        here, there = socket.socketpair()
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the session)
        with there:
            end = there.fileno()
            try:
                process = subprocess.Popen(command, stdin=end, stdout=end, stderr=stderr)
            except FileNotFoundError:
                here.close()
                stderr.close()
                raise UnreachableError("ssh is not installed on this machine") from None
        return _Session(here, process, stderr)

    def _failure(self, session: _Session, error: Exception) -> Exception:
        """Return what went wrong, by how ssh ended and what it, or the relay, said."""
        if type(error) is http.client.BadStatusLine:
            line = printable_line(str(error))
            words = f"something there speaks before Plancton does, its shell? {line}"
            return UnreachableError(f"{self.place}: {words}")
        try:
            code = session.process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            return UnreachableError(f"{self.place}: the connection is lost ({error})")
        session.stderr.seek(0)
        return failure_of(self.target, code, session.stderr.read().decode("utf-8", "replace"))
