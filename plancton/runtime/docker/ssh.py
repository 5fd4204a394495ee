"""An engine that is reached by the system's ssh, as Docker's own client does it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import tempfile
from contextlib import suppress
from typing import IO
from urllib.parse import urlsplit
from weakref import WeakSet

import docker.constants
import requests
import urllib3.connection
import urllib3.connectionpool
from docker.errors import DockerException
from docker.transport.basehttpadapter import BaseHTTPAdapter

SCHEME = "ssh://"
BASE_URL = "http+docker://by-ssh"
_RELAY = "docker system dial-stdio"
_LONGEST_STDERR = 65536
_CONNECT_TIMEOUT, _KEEPALIVE, _END_TIMEOUT = 10, 15, 3.0
"""Seconds: to connect; between two signs of life; for an ssh that is no longer needed."""


class SshError(OSError):
    """An ssh to an engine has ended. Says why, for people."""


def ssh_command(url: str) -> list[str]:
    """Return the command that relays to an engine; DockerException if *url* names no machine."""
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname or "", parts.port, parts.username
    except ValueError:
        host, port, user, parts = "", None, None, urlsplit(SCHEME)
    if not host or host.startswith("-") or parts.password or parts.path.strip("/"):
        raise DockerException(f"{url} is not ssh://[user@]host[:port] (without a password)")
    settings = ["BatchMode=yes", f"ConnectTimeout={_CONNECT_TIMEOUT}"]
    settings += [f"ServerAliveInterval={_KEEPALIVE}"]
    return [
        "ssh",
        "-T",
        *(word for setting in settings for word in ("-o", setting)),
        *(("-p", str(port)) if port else ()),
        *(("-l", user) if user else ()),
        "--",
        host,
        _RELAY,
    ]


class SshAdapter(BaseHTTPAdapter):
    """Sends requests through ssh. Its connections are real sockets, which can be closed at once."""

    def __init__(self, url: str, timeout: float) -> None:
        """Relay to the engine at *url*."""
        self._pool = _Pool(ssh_command(url), timeout)
        super().__init__()

    def get_connection(  # type: ignore[override]
        self,
        url: str,  # noqa: ARG002 (there is one machine)
        proxies: object = None,  # noqa: ARG002
    ) -> urllib3.HTTPConnectionPool:
        """Return the connections there are."""
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:  # noqa: ARG002
        """Return the path alone: no proxy is between."""
        return str(request.path_url)

    def close(self) -> None:
        """End every ssh."""
        self._pool.close()
        super().close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, command: list[str], timeout: float) -> None:
        maximum = docker.constants.DEFAULT_NUM_POOLS_SSH
        super().__init__("localhost", timeout=timeout, maxsize=maximum)
        self._command, self._seconds = command, timeout
        self._made: WeakSet[_Connection] = WeakSet()

    def _new_conn(self) -> _Connection:
        made = _Connection(self._command, self._seconds)
        self._made.add(made)
        return made

    def close(self) -> None:
        """End all there are: those of streams that nobody reads any more come not back here."""
        super().close()
        for each in tuple(self._made):
            each.close()


class _Connection(urllib3.connection.HTTPConnection):
    """One ssh, and our end of what it relays."""

    def __init__(self, command: list[str], timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._ended = ""
        """Why, once it has."""

    def connect(self) -> None:
        here, there = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the connection)
        with there:
            end = there.fileno()
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=end, stdout=end, stderr=self._stderr
                )
            except FileNotFoundError:
                here.close()
                raise SshError("ssh is not installed on this machine") from None
        here.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
        self.sock = here

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        try:
            return super().getresponse()
        except (ConnectionError, http.client.RemoteDisconnected) as error:
            raise self._failure(error) from error

    def request(self, *args: object, **kwargs: object) -> None:
        try:
            super().request(*args, **kwargs)  # type: ignore[arg-type]
        except ConnectionError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> SshError:
        self.close()  # then it is known how it ended
        return SshError(self._ended or str(error))

    def close(self) -> None:
        process, self._process = self._process, None
        stderr, self._stderr = self._stderr, None
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)
        super().close()
        if stderr is None:
            return
        if process is None:  # it could not be run
            stderr.close()
            return
        try:
            code = process.wait(_END_TIMEOUT)
            stderr.seek(0)
            text = stderr.read(_LONGEST_STDERR).decode("utf-8", "replace")
            self._ended = _failure_text(code, text)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            self._ended = "the connection is lost"
        finally:
            stderr.close()


def _failure_text(code: int, stderr: str) -> str:
    """Say why an ssh ended, by its exit code and what it wrote."""
    lines = [_printable(each) for each in stderr.splitlines() if each.strip()]
    last = lines[-1] if lines else "it says nothing"
    # 255 is ssh itself, 126 and 127 are the shell there, the others its docker.
    if code == 255:
        return _ssh_failure_text(stderr, last)
    if code in (126, 127):
        return "there is no docker on the PATH of ssh's commands there: install Docker's client"
    return f"docker there: {last}" if code else "the engine there ended meanwhile"


def _ssh_failure_text(stderr: str, last: str) -> str:
    if "HOST IDENTIFICATION HAS CHANGED" in stderr:
        return "its host key has changed: it may be another machine; ask its administrator"
    if "Host key verification failed" in stderr:
        return "its host key is not known here: log in once by hand as Plancton's user"
    if "Permission denied" in stderr:
        return f"ssh is refused there ({last}): give Plancton's user a key without a passphrase"
    return f"ssh: {last.removeprefix('ssh: ')}"


def _printable(line: str) -> str:
    return "".join(each if each.isprintable() else " " for each in line)[:300].strip()
