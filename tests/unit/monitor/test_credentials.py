"""Which credentials are sent, by what a real HTTP server sees beside a ~/.netrc."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from plancton.config.schema import ElasticTarget, InfluxTarget, Remote
from plancton.engine.ports import RuntimeUnavailableError
from plancton.monitor.sink import RejectedError, UnavailableError
from plancton.monitor.sinks.elasticsearch import ElasticsearchSink
from plancton.monitor.sinks.influxdb import InfluxSink
from plancton.runtime.docker.client import open_client
from plancton.service.remote_config.fetch import Fetcher


class Server(http.server.ThreadingHTTPServer):
    """Remembers the credentials of each request; redirects once if asked to."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on the loopback."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[str | None] = []
        self.redirects = 0

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers everything alike."""

    server: Server

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(self.headers.get("Authorization"))
        body = b"{}"
        self.server.redirects -= 1
        if self.server.redirects >= 0:
            self.send_response(307)
            self.send_header("Location", self.path)
        else:
            self.send_response(204 if self.path.startswith("/write") else 200)
        self.send_header("Content-Length", "0" if self.path.startswith("/write") else "2")
        self.end_headers()
        if not self.path.startswith("/write"):
            self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server for whose host a netrc has another user."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login stranger password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


@pytest.mark.parametrize("redirects", [0, 1])
@pytest.mark.parametrize(
    ("user", "token", "expected"),
    [
        ("", "T", "Token T"),
        ("ann:secret@", "", _basic("ann:secret")),
        ("", "", None),
    ],
)
def test_influxdb_gets_what_its_target_says(
    server: Server, user: str, token: str, expected: str | None, redirects: int
) -> None:
    """Also after a redirect to the same host."""
    server.redirects = redirects
    target = InfluxTarget(url=f"http://{user}{server.place}#db", token=token, create=False)
    InfluxSink(target).send(["m f=1 1"])
    assert server.seen == [expected] * (1 + redirects)


@pytest.mark.parametrize(
    ("user", "key", "expected"),
    [
        ("", "K", "ApiKey K"),
        ("ann:secret@", "", _basic("ann:secret")),
        ("", "", None),
    ],
)
def test_elasticsearch_gets_what_its_target_says(
    server: Server, user: str, key: str, expected: str | None
) -> None:
    """An answer that is none of _bulk does not matter here."""
    target = ElasticTarget(url=f"http://{user}{server.place}", api_key=key)
    with suppress(UnavailableError, RejectedError):
        ElasticsearchSink(target).send(["node m 2026.01.01 {}"])
    assert server.seen == [expected] * 2


@pytest.mark.parametrize(
    ("user", "expected"), [("ann:secret@", _basic("ann:secret")), ("", _basic("stranger:other"))]
)
def test_a_remote_configuration_may_use_netrc_where_its_url_names_nobody(
    server: Server, user: str, expected: str
) -> None:
    """As curl and git do."""
    Fetcher().fetch(Remote(url=f"http://{user}{server.place}/c.yaml", allow_http=True, timeout=5))
    assert server.seen == [expected]


def test_docker_over_the_network_gets_no_credentials(server: Server) -> None:
    """None are configured."""
    with suppress(RuntimeUnavailableError), open_client(f"tcp://{server.place}", timeout=5):
        pass
    assert server.seen
    assert set(server.seen) == {None}
