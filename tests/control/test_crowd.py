"""A crowd of idle, slow and hostile clients: verbs are answered all the same, at once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from plancton.control.server import _MAX_CONNECTIONS
from plancton.engine.api import NotRunningError
from plancton.engine.model.operator import Mode
from tests.conftest import until
from tests.control.conftest import STEP_TIMEOUT, Stage

_PROMPT = 1.0
"""Seconds within which a verb is answered, whatever others do."""
_HOST = b"Host: plancton\r\n"
_HALF_BODY = b"POST /v1/config/preview HTTP/1.1\r\n" + _HOST + b"Content-Length: 1000\r\n\r\nspawn:"
_CROWDS = {
    "idle": b"",
    "half a request line": b"GET /v1/sta",
    "half a head": b"GET /v1/status HTTP/1.1\r\n" + _HOST,
    "half a body": _HALF_BODY,
    "a stream that nobody reads": b"GET /v1/stream HTTP/1.1\r\n" + _HOST + b"\r\n",
    "answers that nobody reads": (b"GET /v1/schema HTTP/1.1\r\n" + _HOST + b"\r\n") * 40,
    "slow requests": b"GET /v1/fleet HTTP/1.1\r\n" + _HOST + b"\r\n",
}


def client(path: Path, says: bytes = b"") -> socket.socket:
    """Return a connection on which something was said."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(path))
    made.sendall(says)
    return made


@contextmanager
def crowd(path: Path, says: bytes, count: int = 150) -> Iterator[list[socket.socket]]:
    """Yield so many connections that are left as they are."""
    with ExitStack() as stack:
        yield [stack.enter_context(client(path, says)) for _ in range(count)]


def took(work: Callable[[], object]) -> float:
    """Return the seconds that *work* takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


@pytest.mark.parametrize("kind", _CROWDS)
def test_verbs_are_answered_beside_a_crowd(stage: Stage, kind: str) -> None:
    """Of more clients than there are threads, each of which waits for ever."""
    stage.rig.run(5)
    with crowd(stage.path, _CROWDS[kind]):
        assert took(stage.remote.health) < _PROMPT
        assert took(stage.remote.snapshot) < _PROMPT
        assert took(lambda: stage.remote.order(Mode.DRAINING)) < _PROMPT
        assert took(stage.remote.stop) < _PROMPT
    assert stage.orders.mode() is Mode.DRAINING


def test_the_oldest_idle_connections_go_when_there_are_too_many(stage: Stage) -> None:
    """The newest stay, and somebody who asks is let in."""
    stage.rig.run(5)
    with crowd(stage.path, b"", 2 * _MAX_CONNECTIONS) as clients:
        assert took(stage.remote.snapshot) < _PROMPT
        clients[0].settimeout(5)
        assert clients[0].recv(1) == b""
        clients[-1].sendall(b"GET /healthz HTTP/1.1\r\n" + _HOST + b"\r\n")
        clients[-1].settimeout(5)
        assert b" 200 OK" in clients[-1].recv(1000)


@pytest.mark.parametrize("begun", [b"GET /v1/status HTTP/1.1\r\nX-Long: ", _HALF_BODY])
def test_a_client_that_drips_is_cut_by_a_deadline_for_the_whole(stage: Stage, begun: bytes) -> None:
    """Not by one for each byte; it is told."""
    stage.rig.run(5)
    with client(stage.path, begun) as dripping:
        dripping.settimeout(STEP_TIMEOUT / 10)
        began, answer = time.monotonic(), b""
        while not answer:
            assert time.monotonic() - began < 3 * STEP_TIMEOUT
            dripping.sendall(b"x")
            with suppress(TimeoutError):
                answer = dripping.recv(1000)
        assert b" 408 Request Timeout" in answer
        assert b"the request did not come within 2 s" in answer


def test_a_reader_that_drips_is_cut(stage: Stage) -> None:
    """Its place among those who follow is another's then."""
    stage.rig.run(5)
    stop = threading.Event()

    def talk() -> None:
        while not stop.wait(0.001):
            stage.broadcaster(stage.rig.latest)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        with crowd(stage.path, _CROWDS["a stream that nobody reads"], 8) as clients:
            until(lambda: len(stage.broadcaster._subscribers) == 8)

            def all_cut() -> bool:
                with suppress(BlockingIOError):
                    for each in clients:
                        each.recv(10, socket.MSG_DONTWAIT)
                return not len(stage.broadcaster._subscribers)

            until(all_cut, 10 * STEP_TIMEOUT)
            assert stage.remote.snapshot()
    finally:
        stop.set()
        talking.join()


def test_a_reader_that_goes_gives_its_place_back_at_once(stage: Stage) -> None:
    """Also while nothing happens that could be sent to it."""
    stage.rig.run(5)
    stage.broadcaster._keepalive = 60
    for _ in range(3):
        with crowd(stage.path, _CROWDS["a stream that nobody reads"], 8):
            until(lambda: len(stage.broadcaster._subscribers) == 8)
            with pytest.raises(NotRunningError, match="8 clients follow already"):
                next(stage.remote.stream())
        until(lambda: not len(stage.broadcaster._subscribers), 2)


def test_a_crowd_does_not_hold_the_end_up(stage: Stage) -> None:
    """The server ends within a moment, and leaves no socket."""
    stage.rig.run(5)
    with ExitStack() as stack:
        for says in _CROWDS.values():
            stack.enter_context(crowd(stage.path, says, 20))
        stage.broadcaster.close_streams()
        assert took(stage.server.stop) < STEP_TIMEOUT + _PROMPT
        assert not stage.path.exists()
