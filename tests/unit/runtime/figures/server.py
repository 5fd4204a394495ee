"""A little web server that answers as a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves on a port of its own; each path behaves in its own way."""

    daemon_threads = True

    def __init__(self) -> None:
        """Start with no requests seen, and the figure 7."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str | None]] = []
        self.figure = "7"
        self.over = threading.Event()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients go away, as they should."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Authorization"]))
        name = self.path.partition("?")[0].strip("/").replace("/", "_") or "figure"
        getattr(self, f"_{name}")()

    def _answer(self, text: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _figure(self) -> None:
        self._answer(self.server.figure.encode())

    def _json(self) -> None:
        self._answer(b'{"data": {"p99": 41.5, "list": [1, {"x": "2.5"}], "on": true}}')

    def _api_v1_query(self) -> None:
        self._answer(self.server.figure.encode())

    def _moved(self) -> None:
        self._answer(b"", 302, Location="http://user:secret@elsewhere.example/x?key=secret")

    def _away(self) -> None:
        self._answer(b"3", 503)

    def _large(self) -> None:
        self._answer(b"1" * 1_000_000)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.over.is_set():
            self.wfile.write(b"1" * 4096)

    def _silent(self) -> None:
        self.server.over.wait(60)

    def _dribble(self) -> None:
        """Send one byte of a header after the other."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.server.over.is_set():
            self.wfile.write(b"x")
            time.sleep(0.05)

    def _body(self) -> None:
        """Send a good answer without a length, and never end it."""
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n1")
        while not self.server.over.is_set():
            self.wfile.write(b"1")
            time.sleep(0.05)

    def _noise(self) -> None:
        self.wfile.write(b"\x00\xff" * 100)

    def _closed(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    """Serve until the end of the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
