"""The control socket of another machine, through the system's ssh.

As Docker's client does it: ssh runs a hidden verb there that relays its standard input and output
to the socket, and whoever may log in there and use the socket may use it from here.
"""

from __future__ import annotations

import http.client
import re
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from plancton.engine.handle import NotRunningError, UnreachableError

RELAY = "relay"
"""The hidden verb."""
_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[\w][\w.+@-]*)@)?"
    r"(?P<host>\w[\w.-]*|\[[0-9a-fA-F:.]+(?:%\w+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<program>/[^\s]*)?",
    re.ASCII,
)
_CONNECT, _ALIVE = 10, 15
"""Seconds: for the connection; between two signs of life, three of which may be missed."""
_BATCH_TIMEOUT, _PROMPT_TIMEOUT = 30.0, 120.0
_LEAVING = 3.0
"""Seconds an ssh has to end when it is no longer needed."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class SshHost:
    """A machine as ``ssh://[user@]host[:port][/program]``."""

    host: str
    user: str = ""
    port: int | None = None
    program: str = "plancton"
    """What is run there."""

    @classmethod
    def parse(cls, address: str) -> SshHost:
        """Take an address apart; ValueError if it is none."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise ValueError(f"{address!r} is not ssh://[user@]host[:port] (without a password)")
        port = int(found["port"]) if found["port"] else None
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"{address!r}: there is no port {port}")
        program = found["program"] or ""
        return cls(
            found["host"].strip("[]"), found["user"] or "", port, program.rstrip("/") or "plancton"
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}" + (f":{self.port}" if self.port else "")

    @property
    def by_hand(self) -> str:
        """The command that logs in there."""
        return shlex.join(["ssh", *self._where(), self.host])

    def command(self, words: tuple[str, ...], *, batch: bool) -> list[str]:
        """Return the command that runs the program there; *batch*: ssh may ask nothing."""
        options = ["-T", "-o", f"ConnectTimeout={_CONNECT}", "-o", f"ServerAliveInterval={_ALIVE}"]
        options += ["-o", "BatchMode=yes"] if batch else []
        # ssh hands one string to the shell there.
        return [
            "ssh",
            *options,
            *self._where(),
            "--",
            self.host,
            shlex.join([self.program, *words]),
        ]

    def _where(self) -> list[str]:
        port = ["-p", str(self.port)] if self.port else []
        user = ["-l", self.user] if self.user else []
        return [*port, *user]


@dataclass(frozen=True, slots=True)
class SshTransport:
    """Implements ``Transport`` on a socket of another machine."""

    target: SshHost
    rundir: Path | None = None
    """The engine's run directory there; None: the usual one."""
    batch: bool = True
    """ssh asks for nothing: no password, no word on an unknown host key."""

    @property
    def place(self) -> str:
        """The machine."""
        return str(self.target)

    @property
    def timeout(self) -> float:
        """Long enough to log in and to start a program; or for people to type."""
        return _BATCH_TIMEOUT if self.batch else _PROMPT_TIMEOUT

    @contextmanager
    def connected(self, timeout: float) -> Iterator[socket.socket]:
        """Yield a connection through an ssh of its own."""
        here, there = socket.socketpair()
        with here, tempfile.TemporaryFile() as said:
            with there:
                process = self._ssh(there, said)
            try:
                here.settimeout(timeout)
                yield here
            except TimeoutError:
                raise UnreachableError(f"{self.place}: it does not answer") from None
            except (ConnectionError, http.client.HTTPException) as error:
                raise self._failure(process, said, error) from None
            finally:
                # The relay ends, then ssh: one that others share as their master is not cut.
                with suppress(OSError):  # closed already
                    here.shutdown(socket.SHUT_RDWR)
                _end(process)

    def _ssh(self, wire: socket.socket, said: IO[bytes]) -> subprocess.Popen[bytes]:
        rundir = ("--rundir", str(self.rundir)) if self.rundir else ()
        command = self.target.command((RELAY, *rundir), batch=self.batch)
        try:
            return subprocess.Popen(command, stdin=wire.fileno(), stdout=wire.fileno(), stderr=said)
        except FileNotFoundError:
            raise UnreachableError("ssh is not installed on this machine") from None

    def _failure(
        self, process: subprocess.Popen[bytes], said: IO[bytes], error: Exception
    ) -> Exception:
        """Return what went wrong, by how ssh ended and what it, or the relay, said."""
        if type(error) is http.client.BadStatusLine:
            words = f"something there speaks before Plancton does, its shell? {_plain(str(error))}"
            return UnreachableError(f"{self.place}: {words}")
        try:
            code = process.wait(_LEAVING)
        except subprocess.TimeoutExpired:
            return UnreachableError(f"{self.place}: the connection is lost ({error})")
        said.seek(0)
        return told(self.target, code, said.read().decode("utf-8", "replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_LEAVING)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


def _plain(text: str) -> str:
    """Return one short line that cannot steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)[:_LONGEST].strip()


def told(target: SshHost, code: int, said: str) -> Exception:
    """Return what an ssh that ended with *code* failed of, in one line for people."""
    lines = [line for each in said.splitlines() if (line := _plain(each))]
    last = lines[-1].removeprefix("plancton: ") if lines else "it says nothing"
    match code:  # 255 is ssh itself, 126 and 127 are the shell there, the others its Plancton
        case 255 if "HOST IDENTIFICATION HAS CHANGED" in said:
            words = "its host key has changed, so it may be another machine; ask its administrator"
        case 255 if "Host key verification failed" in said:
            words = f"its host key is not known here; look at it and accept it: {target.by_hand}"
        case 255 if "Permission denied" in said:
            words = f"ssh is refused there: {last} Try {target.by_hand}"
        case 255:
            words = f"ssh: {last.removeprefix('ssh: ')}"
        case 126 | 127:
            words = (
                f"{target.program} is not there, or not on the PATH of ssh's commands; "
                f"say where: ssh://{target}/opt/plancton/bin/plancton"
            )
        case 3:
            return NotRunningError(f"{target}: {last}")
        case 0:
            return NotRunningError(f"{target}: the engine there ended meanwhile")
        case 1:
            words = last
        case 2:
            words = f"its Plancton is of another version: {last}"
        case _:
            words = f"{last} (exit code {code})"
    return UnreachableError(f"{target}: {words}")
