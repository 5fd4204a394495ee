"""The listener for Prometheus: strangers do not starve it, and its death is no secret."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
import requests

from plancton.http_server import HttpServer
from plancton.monitor.prometheus_endpoint import PrometheusEndpoint
from tests.conftest import until
from tests.monitor.servers import free_port
from tests.scenario.rig import Rig


@pytest.fixture
def endpoint() -> Iterator[PrometheusEndpoint]:
    """Return an endpoint that has something to tell, and listens nowhere yet."""
    rig = Rig(2)
    rig.run(10)
    made = PrometheusEndpoint(lambda: rig.latest)
    yield made
    made.listen("")


@pytest.mark.parametrize("says", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_strangers_do_not_starve_it(endpoint: PrometheusEndpoint, says: bytes) -> None:
    """Of whom there are more than threads, and more than it holds connections."""
    port = free_port()
    endpoint.listen(f"127.0.0.1:{port}")
    with ExitStack() as stack:
        for _ in range(150):
            each = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            with suppress(ConnectionError):  # cut already in favour of another
                each.sendall(says)
        began = time.monotonic()
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
        assert time.monotonic() - began < 1
    assert answer.ok
    assert "plancton_pilots" in answer.text


def test_its_death_is_said_and_it_lives_again(
    endpoint: PrometheusEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In the log and in the state of the target, until it listens again."""
    port = free_port()
    address = f"127.0.0.1:{port}"

    def die(_: HttpServer, listener: socket.socket) -> None:
        listener.close()
        raise MemoryError

    with monkeypatch.context() as broken, caplog.at_level(logging.INFO, "plancton"):
        broken.setattr(HttpServer, "run", die)
        endpoint.listen(address)
        until(endpoint.status)
    assert endpoint.status()[0].error == "the listener died: MemoryError()"
    assert "the listener for Prometheus died" in caplog.text
    with caplog.at_level(logging.INFO, "plancton"):
        endpoint.listen(address)
    assert endpoint.status() == ()
    assert f"Prometheus on {address} listens again" in caplog.text
    assert requests.get(f"http://{address}/metrics", timeout=5).ok


def test_an_address_that_is_taken_is_said_once_and_tried_again(
    endpoint: PrometheusEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with caplog.at_level(logging.INFO, "plancton"):
            for _ in range(3):
                endpoint.listen(address)
        assert endpoint.status()[0].error == "cannot listen: Address already in use"
        assert caplog.text.count("cannot listen") == 1
    endpoint.listen(address)
    assert endpoint.status() == ()
    assert requests.get(f"http://{address}/metrics", timeout=5).ok


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("HEAD", "/metrics", 200), ("GET", "/", 200), ("POST", "/metrics", 405), ("GET", "/x", 404)],
)
def test_other_requests_are_answered_too(
    endpoint: PrometheusEndpoint, method: str, path: str, status: int
) -> None:
    """By a status that fits, and one sentence."""
    port = free_port()
    endpoint.listen(f"127.0.0.1:{port}")
    answer = requests.request(method, f"http://127.0.0.1:{port}{path}", timeout=5)
    assert answer.status_code == status
    assert status == 200 or "error" in answer.json()
