"""Events in the form of older and newer engines, over a real socket."""

from __future__ import annotations

import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.runtime.docker.events import EventListener

OLD = (
    b'{"status": "die", "id": "abc", "Type": "container", "Action": "die", "Actor": {"ID": "abc"}}'
)
NEW = b'{"Type": "container", "Action": "die", "Actor": {"ID": "abc", "Attributes": {}}}'
ODD = b'{"Type": "container", "Actor": "abc"}'


class Engine(socketserver.ThreadingUnixStreamServer):
    """Answers what a listener asks: the version, and one event."""

    daemon_threads = True
    event = b""


class Answer(socketserver.StreamRequestHandler):
    """One request."""

    def handle(self) -> None:
        """Answer, and close the connection."""
        line = self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        version = b'{"ApiVersion": "1.52", "MinAPIVersion": "1.44"}'
        assert isinstance(self.server, Engine)
        body = self.server.event if b"/events" in line else version
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self.wfile.write(head.encode() + b"\r\nConnection: close\r\n\r\n" + body)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Return an engine that speaks the API of Docker 29."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(str(Path(folder, "engine.sock")), Answer) as made,
    ):
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.parametrize(("event", "said"), [(OLD, "abc"), (NEW, "abc"), (ODD, "")])
def test_it_is_heard_which_pilot_ended(engine: Engine, event: bytes, said: str) -> None:
    """Docker 29 names it as the actor alone, older ones on top as well."""
    engine.event = event + b"\n"
    heard: list[str] = []
    listener = EventListener(f"unix://{engine.server_address!s}", "test", heard.append)
    listener._listen()
    assert heard == ["", said]
