"""Real databases of the tests' own, and a gate before them that fails as it is told."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.conftest import until


def free_port() -> int:
    """Return a port nobody listens at."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


class Process:
    """A server process that does not outlive the tests."""

    def __init__(self, command: list[str], log: Path) -> None:
        """Prepare; nothing runs yet."""
        self.command, self.log = command, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            command = ["setpriv", "--pdeathsig=KILL", *self.command]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


class InfluxServer(Process):
    """Debian's InfluxDB."""

    def __init__(self, folder: Path, *, auth: bool = False, tls: tuple[Path, Path] | None = None):
        """Keep its data in *folder*; *tls* is a certificate and its key."""
        folder.mkdir(exist_ok=True)
        self.port, self.scheme = free_port(), "https" if tls else "http"
        self.ca = str(tls[0]) if tls else ""
        secure = ""
        if tls:
            pair = f'https-certificate = "{tls[0]}"\nhttps-private-key = "{tls[1]}"'
            secure = f"https-enabled = true\n{pair}"
        config = folder / "influxdb.conf"
        config.write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
            f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\n'
            f'wal-dir = "{folder}/wal"\n[monitor]\nstore-enabled = false\n'
            f'[http]\nbind-address = "127.0.0.1:{self.port}"\nlog-enabled = false\n'
            f"auth-enabled = {str(auth).lower()}\n{secure}\n"
        )
        super().__init__(["influxd", "-config", str(config)], folder / "log")

    @property
    def address(self) -> str:
        """Its URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def url(self, user: str = "", database: str = "plancton") -> str:
        """Return the address as a configuration names it."""
        at = f"{user}@" if user else ""
        return f"{self.scheme}://{at}127.0.0.1:{self.port}#{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        super().start()
        until(self._answers, 30)

    def _answers(self) -> bool:
        try:
            answer = requests.get(f"{self.address}/ping", timeout=2, verify=self.ca or True)
        except requests.exceptions.RequestException:
            return False
        return answer.status_code == 204

    def ask(self, query: str, user: str = "", database: str = "plancton") -> list[dict[str, Any]]:
        """Return the series of an answer; its error is raised."""
        answer = requests.post(
            f"{self.address}/query",
            params={"q": query, "db": database, "epoch": "ns"},
            auth=tuple(user.split(":")) if user else None,  # type: ignore[arg-type]
            verify=self.ca or True,
            timeout=30,
        ).json()
        assert "error" not in answer, answer
        (result,) = answer["results"]
        assert "error" not in result, result
        return list(result.get("series", ()))

    def count(self, measurement: str, field: str, user: str = "") -> int:
        """Return how many values a field has."""
        series = self.ask(f'SELECT count("{field}") FROM "{measurement}"', user)
        return int(series[0]["values"][0][1]) if series else 0


class Victoria(Process):
    """Debian's VictoriaMetrics."""

    def __init__(self, folder: Path) -> None:
        """Keep its data in *folder*."""
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        place = f"-httpListenAddr=127.0.0.1:{self.port}"
        command = ["victoria-metrics", place, f"-storageDataPath={folder}/data"]
        command.append("-retentionPeriod=100y")
        super().__init__(command, folder / "log")
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        super().start()
        until(lambda: _answers(f"{self.address}/health"), 30)

    def exported(self, name: str) -> list[dict[str, Any]]:
        """Return the series of a metric, with all their values."""
        requests.get(f"{self.address}/internal/force_flush", timeout=10)
        found = requests.get(
            f"{self.address}/api/v1/export", params={"match[]": name}, timeout=10
        ).text
        return [json.loads(line) for line in found.splitlines()]


class PrometheusServer(Process):
    """Debian's Prometheus, which scrapes one address each second."""

    def __init__(self, folder: Path, target: str) -> None:
        """Keep its data in *folder* and scrape *target*."""
        folder.mkdir(exist_ok=True)
        config = folder / "prometheus.yml"
        scrape = {"job_name": "plancton", "static_configs": [{"targets": [target]}]}
        times = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        config.write_text(json.dumps({"global": times, "scrape_configs": [scrape]}))
        self.address = f"http://127.0.0.1:{free_port()}"
        place = f"--web.listen-address={self.address.removeprefix('http://')}"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
        super().__init__([*command, place], folder / "log")

    def start(self) -> None:
        """Start it and wait until it answers."""
        super().start()
        until(lambda: _answers(f"{self.address}/-/ready"), 30)

    def ask(self, query: str, minutes: float = 0) -> list[dict[str, Any]]:
        """Return the result of a query: of now, or over the last minutes."""
        params: dict[str, Any] = {"query": query}
        path = "query"
        if minutes:
            now = time.time()
            params |= {"start": now - 60 * minutes, "end": now, "step": 1}
            path = "query_range"
        answer = requests.get(f"{self.address}/api/v1/{path}", params=params, timeout=10).json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.exceptions.RequestException:
        return False


class Gate:
    """Passes requests on to a server, or answers them itself: with a code, or never."""

    def __init__(self, behind: int) -> None:
        """Stand before the port *behind*."""
        self.fault: int | str = ""
        """An answer's code, "hang", or empty: pass on. "too large" refuses all but one line."""
        self.seen: list[str] = []
        self.lines = 0
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate.seen.append(self.path.partition("?")[0])
                gate.answer(self, behind, body)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])
        self.released = threading.Event()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, behind: int, body: bytes) -> None:
        """Answer one request."""
        if self.fault == "hang":
            self.released.wait(60)
            return
        if isinstance(self.fault, int):
            text = json.dumps({"error": f"as told: {self.fault}"}).encode()
            handler.send_response(self.fault)
            if self.fault == 429:
                handler.send_header("Retry-After", "1")
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text)
            return
        relay = http.client.HTTPConnection("127.0.0.1", behind, timeout=10)
        try:
            relay.request(handler.command, handler.path, body, dict(handler.headers))
            answer = relay.getresponse()
            text = answer.read()
        except OSError:
            handler.close_connection = True
            return
        finally:
            relay.close()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        if answer.status != 204:
            handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def close(self) -> None:
        """End it."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def running(server: Process) -> Iterator[Process]:
    """Run a server."""
    server.start()
    try:
        yield server
    finally:
        server.kill()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return a new self-signed certificate for the loopback address, and its key."""
    made, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key
