"""What ssh runs on a node."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from plancton.control.stdio_bridge import relay
from plancton.control.transport import UnixTransport


def test_an_engine_that_ends_with_a_question_unread_is_an_end(tmp_path: Path) -> None:
    """The kernel resets the connection then; the other machine is told of an end, not of that."""
    path = tmp_path / "socket"
    ours, theirs = socket.socketpair()
    with socket.socket(socket.AF_UNIX) as listener, ours, theirs:
        listener.bind(str(path))
        listener.listen()
        relaying = threading.Thread(
            target=relay, args=(UnixTransport(path), theirs.fileno(), theirs.fileno())
        )
        failed: list[threading.ExceptHookArgs] = []
        threading.excepthook, before = failed.append, threading.excepthook
        try:
            relaying.start()
            engine, _ = listener.accept()
            ours.sendall(b"GET /v1/health")
            engine.recv(1, socket.MSG_PEEK)
            engine.close()
            relaying.join(10)
        finally:
            threading.excepthook = before
        assert not relaying.is_alive()
        assert not failed
