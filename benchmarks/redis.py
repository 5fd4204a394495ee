"""A real server as the owner: Redis, one on the loopback for each core."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from benchmarks.owner import REQUEST, Connect

_TURNS = 20_000
"""Turns of the loop that a request is made of, to find out how many take its time."""
_TRIES = 50


@contextmanager
def redis_servers() -> Iterator[Connect]:
    """Run a server for each core; each worker asks its own for a request's time of work."""
    with ExitStack() as servers:
        ports = [servers.enter_context(_server()) for _ in range(os.cpu_count() or 1)]
        turns = _turns(ports[0])
        yield lambda worker: _asker(ports[worker % len(ports)], turns)


def _turns(port: int) -> int:
    """Return how many turns of the loop take the time of a request on this machine."""
    ask, took = _asker(port, _TURNS), []
    for _ in range(_TRIES):
        began = time.monotonic()
        ask()
        took.append(time.monotonic() - began)
    return round(_TURNS * REQUEST / min(took))


@contextmanager
def _server() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    try:
        yield _answering(port)
    finally:
        server.terminate()
        server.wait()


def _answering(port: int) -> int:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return port
        time.sleep(0.05)
    raise SystemExit("redis-server does not answer")


def _asker(port: int, turns: int) -> Callable[[], None]:
    script = b"local x = 0 for i = 1, %d do x = x + i end return 1" % turns
    command = b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in (b"EVAL", script, b"0"))
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask() -> None:
        connection.sendall(b"*3\r\n" + command)
        if not connection.recv(64).startswith(b":1"):
            raise ConnectionError("not the answer of a Redis server")

    return ask
