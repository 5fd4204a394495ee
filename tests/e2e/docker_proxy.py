"""A proxy in front of Docker's socket that, where it is told to, answers nonsense."""

from __future__ import annotations

import http.client
import json
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

GIGABYTE = 1_000_000_000
_HANG_LIMIT = 120.0
Answer = tuple[int, bytes]
"""Docker's own: the status, and the whole body."""
Fault = Callable[["Exchange"], None]


class Exchange:
    """One request, and what can be done to its answer."""

    def __init__(self, client: socket.socket, upstream: Path, request: bytes, line: str) -> None:
        """Take a whole *request*, whose method and path are the *line*, for the real Docker."""
        self.client, self.line = client, line
        self.released = threading.Event()
        """Set when those that hang shall end."""
        self._upstream, self._request = upstream, request

    def pass_on(self) -> None:
        """Answer as Docker does, for as long as it does."""
        with self._ask() as docker:
            while data := docker.recv(65536):
                self.client.sendall(data)

    def answer(self) -> Answer:
        """Have Docker do what was asked, and return what it said."""
        if re.search("/events|/images/create", self.line):  # these end late, or never
            return 200, b'{"status": "die", "id": "0123"}\n'
        with self._ask() as docker:
            response = http.client.HTTPResponse(docker)
            response.begin()
            return response.status, response.read()

    def lines(self) -> Iterator[bytes]:
        """Have Docker do what was asked, and yield what it says, line by line as it comes."""
        with self._ask() as docker:
            response = http.client.HTTPResponse(docker)
            response.begin()
            while line := response.readline():
                yield line

    def readdress(self, old: str, new: str) -> None:
        """Ask for another path."""
        self._request = self._request.replace(old.encode(), new.encode(), 1)

    def send(self, body: bytes, status: int = 200, kind: str = "application/json") -> None:
        """Send a whole answer."""
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nConnection: close\r\n"
        self.client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def begin(self, status: int = 200) -> None:
        """Send the head of an answer in chunks."""
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\n"
        self.client.sendall(
            f"{head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )

    def send_chunk(self, data: bytes) -> None:
        """Send a part of what was begun."""
        self.client.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _ask(self) -> socket.socket:
        docker = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        docker.connect(str(self._upstream))
        docker.sendall(self._request)
        return docker


# --- the faults: Docker does what was asked, if not said otherwise, and the answer is spoiled ---


def refused(exchange: Exchange) -> None:
    """Do nothing, and say an error in Docker's own form."""
    exchange.send(b'{"message": "driver failed"}', 500)


def gateway(exchange: Exchange) -> None:
    """Do nothing, and send the page of some web server."""
    exchange.send(b"<html><h1>404 Not Found</h1>nginx</html>", 404, "text/html")


def lost(exchange: Exchange) -> None:
    """Have it done, and say an error of what stands between."""
    exchange.answer()
    exchange.send(b"<html><h1>502 Bad Gateway</h1></html>", 502, "text/html")


def empty(exchange: Exchange) -> None:
    """Say no word."""
    exchange.answer()
    exchange.send(b"")


def invalid(exchange: Exchange) -> None:
    """Send no JSON."""
    exchange.answer()
    exchange.send(b'{"Id": "abc", [')


def odd(exchange: Exchange) -> None:
    """Send JSON of another kind."""
    exchange.answer()
    exchange.send(b"[5, null, [[]]]\n")


def bare(exchange: Exchange) -> None:
    """Send an object with nothing in it."""
    exchange.answer()
    exchange.send(b"{}\n")


def nulls(exchange: Exchange) -> None:
    """Have every value null: names, states, labels."""
    exchange.send(_changed(exchange.answer()[1], lambda _: None))


def words(exchange: Exchange) -> None:
    """Have every number a word, every word a number."""
    exchange.send(_changed(exchange.answer()[1], lambda value: 7 if _is_text(value) else "seven"))


def cut(exchange: Exchange) -> None:
    """End in the middle of a chunk."""
    body = exchange.answer()[1]
    exchange.begin()
    exchange.client.sendall(b"ffff\r\n" + body[: len(body) // 2])


def reset(exchange: Exchange) -> None:
    """End in the middle of the answer's head."""
    exchange.answer()
    exchange.client.sendall(b"HTTP/1.1 200 OK\r\nConte")


def hang(exchange: Exchange) -> None:
    """Send half an answer, and then nothing for a long time."""
    exchange.answer()
    exchange.begin()
    exchange.client.sendall(b"ffff\r\n[")
    exchange.released.wait(_HANG_LIMIT)


def gigabyte(exchange: Exchange) -> None:
    """Send what does not end before long."""
    exchange.answer()
    exchange.begin()
    chunk = b"100000\r\n" + b"[" * 0x100000 + b"\r\n"
    for _ in range(GIGABYTE // 0x100000):
        exchange.client.sendall(chunk)


FAULTS: dict[str, Fault] = {
    each.__name__: each
    for each in (
        refused, gateway, lost, empty, invalid, odd, bare, nulls, words, cut, reset, hang, gigabyte
    )
}  # fmt: skip


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _changed(body: bytes, change: Callable[[Any], Any]) -> bytes:
    """Return JSON with its plain values changed, but for IDs, so that it is about the same."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: value[key] if key == "Id" else walk(value[key]) for key in value}
        if isinstance(value, list):
            return [walk(each) if isinstance(each, dict | list) else change(each) for each in value]
        return change(value)

    try:
        return json.dumps(walk(json.loads(body))).encode()
    except ValueError:
        return body


class DockerProxy:
    """Serves *path*, and asks Docker at *upstream*; a fault is for requests that match."""

    def __init__(self, path: Path, upstream: Path) -> None:
        """Listen at once."""
        self.path, self.url = path, f"unix://{path}"
        self.spoiled = 0
        """Answers spoiled since the fault was set."""
        self._fault: Fault | None = None
        self._pattern = re.compile("")
        self._open: set[Exchange] = set()
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, http.client.HTTPException):
                    proxy._handle(Exchange(self.request, upstream, *_request(self.request)))

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server(str(path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def spoil(self, fault: Fault, pattern: str = "") -> None:
        """From now on answer requests whose ``METHOD /path`` has the *pattern* by *fault*."""
        self.spoiled, self._pattern, self._fault = 0, re.compile(pattern), fault

    def behave(self) -> None:
        """Pass everything on again, and let go what hangs."""
        self._fault = None
        for exchange in tuple(self._open):
            exchange.released.set()

    def disconnect(self) -> None:
        """Cut all connections there are."""
        for exchange in tuple(self._open):
            with suppress(OSError):
                exchange.client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it."""
        self.behave()
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)

    def _handle(self, exchange: Exchange) -> None:
        fault = self._fault if self._pattern.search(exchange.line) else None
        self.spoiled += fault is not None
        self._open.add(exchange)
        try:
            (fault or Exchange.pass_on)(exchange)
        finally:
            self._open.discard(exchange)


def _request(client: socket.socket) -> tuple[bytes, str]:
    """Return a connection's request as bytes for Docker, who shall close after it, and its line."""
    with client.makefile("rb") as stream:
        line = stream.readline().decode("latin-1")
        headers = http.client.parse_headers(stream)
        body = stream.read(int(headers.get("Content-Length") or 0))
    for name in ("Connection", "Content-Length"):
        del headers[name]
    head = line + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head += f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body, line
