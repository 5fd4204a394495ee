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

from plancton.control.ssh_host import SshHost, plain, told
from plancton.control.transport import Wire
from plancton.engine.api import UnreachableError

RELAY = "relay"
"""The hidden verb."""
_LEAVING = 3.0
"""Seconds an ssh has to end when it is no longer needed."""


@dataclass(frozen=True, slots=True)
class _Session:
    """One ssh, and our end of what it relays."""

    wire: socket.socket
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    def silent(self) -> bool:
        """Say whether it may be asked again: one that has ended can be read."""
        return not select.select([self.wire], [], [], 0)[0]

    def end(self) -> None:
        """End the relay and with it ssh: one that others share as their master is not cut."""
        with suppress(OSError):  # closed already
            self.wire.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(_LEAVING)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.wire.close()
        self.said.close()


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
    _spare: list[_Session] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The machine."""
        return str(self.target)

    @contextmanager
    def connected(self, timeout: float) -> Iterator[Wire]:
        """Yield a connection that is nobody else's."""
        session = self._used() or self._new()
        session.wire.settimeout(timeout)
        wire = Wire(session.wire)
        try:
            yield wire
        except TimeoutError:
            raise UnreachableError(f"{self.place}: it does not answer") from None
        except (ConnectionError, http.client.HTTPException) as error:
            raise self._failure(session, error) from None
        finally:
            if wire.again:
                self._spare.append(session)
            else:
                session.end()

    def close(self) -> None:
        """End the connections that are kept."""
        while self._spare:
            self._spare.pop().end()

    def _used(self) -> _Session | None:
        with suppress(IndexError):
            while True:
                session = self._spare.pop()
                if session.silent():
                    return session
                session.end()
        return None

    def _new(self) -> _Session:
        rundir = ("--rundir", str(self.rundir)) if self.rundir else ()
        command = self.target.command((RELAY, *rundir), batch=self.batch)
        here, there = socket.socketpair()
        said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the session)
        with there:
            end = there.fileno()
            try:
                process = subprocess.Popen(command, stdin=end, stdout=end, stderr=said)
            except FileNotFoundError:
                here.close()
                said.close()
                raise UnreachableError("ssh is not installed on this machine") from None
        return _Session(here, process, said)

    def _failure(self, session: _Session, error: Exception) -> Exception:
        """Return what went wrong, by how ssh ended and what it, or the relay, said."""
        if type(error) is http.client.BadStatusLine:
            words = f"something there speaks before Plancton does, its shell? {plain(str(error))}"
            return UnreachableError(f"{self.place}: {words}")
        try:
            code = session.process.wait(_LEAVING)
        except subprocess.TimeoutExpired:
            return UnreachableError(f"{self.place}: the connection is lost ({error})")
        session.said.seek(0)
        return told(self.target, code, session.said.read().decode("utf-8", "replace"))
