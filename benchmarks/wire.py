"""A server that answers a node as a configuration server and a database do, and what it counts."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ETAG = '"1"'


@dataclass
class Counted:
    """What went over the wire so far, TLS included, headers of TCP and IP not."""

    port: int = 0
    connections: int = 0
    received: int = 0
    """Bytes from nodes."""
    sent: int = 0
    """Bytes to nodes."""
    requests: int = 0
    points: int = 0
    """Lines of the line protocol."""

    def since(self, other: Counted) -> Counted:
        """Return what was added to *other*."""
        return Counted(
            self.port,
            self.connections - other.connections,
            self.received - other.received,
            self.sent - other.sent,
            self.requests - other.requests,
            self.points - other.points,
        )


@contextmanager
def server(text: bytes, pair: tuple[Path, Path] | None = None) -> Iterator[Counted]:
    """Serve *text* to those who look, take what is written; with TLS by a certificate and key."""
    counted = Counted()
    made = ThreadingHTTPServer(("127.0.0.1", 0), _handler(counted, text))
    made.daemon_threads = True
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        made.socket = context.wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    gate = socket.create_server(("127.0.0.1", 0))
    counted.port = int(gate.getsockname()[1])
    behind = int(made.server_address[1])
    threading.Thread(target=_accept, args=(gate, behind, counted), daemon=True).start()
    try:
        yield counted
    finally:
        gate.shutdown(socket.SHUT_RDWR)
        gate.close()
        made.shutdown()
        made.server_close()


def _handler(counted: Counted, text: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            counted.requests += 1
            if self.headers["If-None-Match"] == ETAG:
                self._answer(304, b"")
            else:
                self._answer(200, text)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            counted.requests += 1
            if self.path.startswith("/write"):
                counted.points += len(gzip.decompress(body).splitlines())
                self._answer(204, b"")
            else:
                self._answer(200, b'{"results":[{"statement_id":0}]}')

        def _answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("ETag", ETAG)
            if code == 200:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _accept(gate: socket.socket, behind: int, counted: Counted) -> None:
    while True:
        try:
            node, _ = gate.accept()
        except OSError:
            return
        counted.connections += 1
        far = socket.create_connection(("127.0.0.1", behind))
        for ends in ((node, far, "received"), (far, node, "sent")):
            threading.Thread(target=_pass_on, args=(*ends, counted), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, name: str, counted: Counted) -> None:
    """Pass bytes on in one direction until its end, and count them."""
    try:
        while data := source.recv(65536):
            setattr(counted, name, getattr(counted, name) + len(data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()
