"""Prometheus: a real one scrapes the listener."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from tests.conftest import until
from tests.monitor.conftest import Reporter
from tests.monitor.servers import Process, PrometheusServer, free_port


def test_it_is_scraped(
    tmp_path: Path, run: Callable[[Process], None], reporter: Callable[..., Reporter]
) -> None:
    """Up, and figures are the snapshot's."""
    address = f"127.0.0.1:{free_port()}"
    made = reporter(prometheus=address)
    snapshot = made.snapshot()
    server = PrometheusServer(tmp_path / "prometheus", address)
    run(server)
    until(lambda: server.ask("up == 1"), 30)
    (started,) = server.ask("plancton_pilots_started_total")
    assert float(started["value"][1]) == snapshot.ledger.total.started
    total = server.ask("sum(plancton_cpu_cores)")[0]["value"][1]
    assert round(float(total), 6) == 4
    assert server.ask("plancton_pilot_lifetime_seconds_sum / plancton_pilot_lifetime_seconds_count")
    headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = requests.get(f"http://{address}/metrics", headers=headers, timeout=5)
    assert list(openmetrics(answer.text))  # type: ignore[no-untyped-call]


def test_the_address_changes(reporter: Callable[..., Reporter]) -> None:
    """Live; one that is taken is shown, and had when it is free."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = reporter(prometheus=f"127.0.0.1:{port}")
        until(lambda: made.snapshot() and made.sinks.status())
        assert "cannot listen" in made.state.error
    until(lambda: made.snapshot() and not made.sinks.status())
    assert requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).ok
    other = free_port()
    made.configure(prometheus=f"[::1]:{other}")

    def answers(host: str, at: int) -> bool:
        try:
            return requests.get(f"http://{host}:{at}/metrics", timeout=5).ok
        except requests.exceptions.ConnectionError:
            return False

    until(lambda: answers("[::1]", other))
    assert not answers("127.0.0.1", port)
