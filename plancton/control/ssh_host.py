"""Machines that are reached by ssh: their addresses, its command, and what its failures mean."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from plancton.engine.api import NotRunningError, UnreachableError

_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[\w][\w.+@-]*)@)?"
    r"(?P<host>\w[\w.-]*|\[[0-9a-fA-F:.]+(?:%\w+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<program>/[^\s]*)?",
    re.ASCII,
)
_CONNECT_TIMEOUT, _KEEPALIVE = 10, 15
"""Seconds: for the connection; between two signs of life, three of which may be missed."""
_MAX_LINE = 300


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
    def login_command(self) -> str:
        """The command that logs in there."""
        return shlex.join(["ssh", *self._destination(), self.host])

    def command(self, words: tuple[str, ...], *, batch: bool) -> list[str]:
        """Return the command that runs the program there; *batch*: ssh may ask nothing."""
        settings = [f"ConnectTimeout={_CONNECT_TIMEOUT}", f"ServerAliveInterval={_KEEPALIVE}"]
        settings += ["BatchMode=yes"] if batch else []
        # ssh hands one string to the shell there.
        return [
            "ssh",
            "-T",
            *(word for setting in settings for word in ("-o", setting)),
            *self._destination(),
            "--",
            self.host,
            shlex.join([self.program, *words]),
        ]

    def _destination(self) -> list[str]:
        port = ["-p", str(self.port)] if self.port else []
        user = ["-l", self.user] if self.user else []
        return [*port, *user]


def printable_line(text: str) -> str:
    """Return one short line that cannot steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)[:_MAX_LINE].strip()


def failure_of(target: SshHost, code: int, stderr: str) -> Exception:
    """Return what an ssh that ended with *code* failed of, in one line for people."""
    lines = [line for each in stderr.splitlines() if (line := printable_line(each))]
    last = lines[-1].removeprefix("plancton: ") if lines else "it says nothing"
    by_hand = target.login_command
    match code:  # 255 is ssh itself, 126 and 127 are the shell there, the others its Plancton
        case 255 if "HOST IDENTIFICATION HAS CHANGED" in stderr:
            words = "its host key has changed, so it may be another machine; ask its administrator"
        case 255 if "Host key verification failed" in stderr:
            words = f"its host key is not known here; look at it and accept it: {by_hand}"
        case 255 if "Permission denied" in stderr:
            words = f"ssh is refused there: {last} Try {by_hand}"
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
