"""Ask a web server, within a time and a size."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit

from plancton import __version__
from plancton.config.write import without_credentials
from plancton.runtime.figures.error import FigureError

LARGEST = 2**18
"""Bytes of the largest answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    reason: str
    body: bytes


def ask(address: str, seconds: float, token: str = "", ca_file: str = "") -> Answer:
    """Return the whole answer to a GET. Raises FigureError.

    No redirect is followed, no proxy used, and nothing sent but what the address and *token* say.
    A server that answers byte by byte is cut off after *seconds*: no time-out of a socket ends
    that. Only looking up a name may take longer.
    """
    parts = urlsplit(address)
    with closing(_connection(parts, seconds, ca_file)) as connection:
        deadline = _Deadline(connection, seconds)
        try:
            answer = _exchange(connection, deadline, parts, token)
        except TimeoutError:
            raise FigureError(_late(seconds)) from None
        except (OSError, HTTPException, ValueError) as error:
            text = _late(seconds) if deadline.over.is_set() else _text_of(error)
            raise FigureError(text) from None
        finally:
            deadline.cancel()
    if deadline.over.is_set():  # an answer without a length looks whole when it is cut off
        raise FigureError(_late(seconds))
    return answer


class _Deadline:
    """Shuts a connection down when its time is over."""

    def __init__(self, connection: HTTPConnection, seconds: float) -> None:
        self.over = threading.Event()
        self._connection = connection
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        self.over.set()
        open_socket = self._socket or self._connection.sock
        if open_socket is not None:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def connected(self) -> None:
        """Keep the socket: the connection forgets it once the answer begins."""
        self._socket = self._connection.sock
        if self.over.is_set():
            raise TimeoutError

    def cancel(self) -> None:
        self._timer.cancel()


def _exchange(
    connection: HTTPConnection, deadline: _Deadline, parts: SplitResult, token: str
) -> Answer:
    connection.connect()
    deadline.connected()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("GET", target, headers=_headers(parts, token))
    with connection.getresponse() as response:
        if 300 <= response.status < 400:
            place = without_credentials(response.headers.get("Location", "elsewhere"))[:200]
            raise FigureError(f"the server redirects to {place}, which is not followed")
        body = b""
        while chunk := response.read1(65536):
            body += chunk
            if len(body) > LARGEST:
                raise FigureError(f"the answer is larger than {LARGEST} bytes")
        if response.length:  # the rest of a cut off number would make it another number
            raise FigureError("the answer is cut off")
        return Answer(response.status, response.reason[:80], body)


def _connection(parts: SplitResult, seconds: float, ca_file: str) -> HTTPConnection:
    host, port = parts.hostname or "", parts.port
    if parts.scheme != "https":
        return HTTPConnection(host, port, timeout=seconds)
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise FigureError(f"{ca_file} cannot be read: {error.strerror or error}") from None
    return HTTPSConnection(host, port, timeout=seconds, context=context)


def _headers(parts: SplitResult, token: str) -> dict[str, str]:
    headers = {"User-Agent": f"plancton/{__version__}", "Accept": "*/*", "Connection": "close"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return headers


def _late(seconds: float) -> str:
    return f"there is no whole answer within {seconds:g} s"


def _text_of(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not trusted: {error.verify_message}"
        case socket.gaierror():
            return f"the server's name is not known: {error.strerror}"
        case OSError():
            return f"the server cannot be reached: {error.strerror or error}"
    return f"the server does not speak HTTP ({type(error).__name__})"
