"""The way to a control socket of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from plancton.control.client import RemoteEngine
from plancton.control.transport import UnixTransport
from plancton.engine.api import NotRunningError


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """Return a server that accepts nobody yet, before which as many stand as the kernel lets."""
    path = tmp_path / "plancton.sock"
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(path))
        server.listen(2)
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(str(path))
            except BlockingIOError:
                break
        yield path, server


def test_a_crowd_is_waited_for(crowded: tuple[Path, socket.socket]) -> None:
    """As soon as there is room in front of the server, the client stands there."""
    path, server = crowded
    with ExitStack() as stack:
        timer = threading.Timer(0.2, lambda: stack.enter_context(server.accept()[0]))
        timer.start()
        with UnixTransport(path).connect(5):
            timer.join()


def test_a_crowd_that_does_not_go_is_no_answer(crowded: tuple[Path, socket.socket]) -> None:
    """Said as such, within the time-out."""
    path, _ = crowded
    with pytest.raises(NotRunningError, match="does not answer"):
        RemoteEngine(UnixTransport(path, timeout=0.1)).snapshot()
