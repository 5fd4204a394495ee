"""Prometheus: a real one scrapes the listener."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from plancton.config.schema import Figure
from plancton.runtime.figures import FigureError, read_figure
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


def test_a_figure_is_read_from_it(tmp_path: Path, run: Callable[[Process], None]) -> None:
    """An owner's objective asks the real one: one number, or why there is none."""
    server = PrometheusServer(tmp_path / "prometheus", "127.0.0.1:9")
    run(server)
    until(lambda: server.ask("up == 0"), 30)

    def read(query: str) -> float | str:
        fields = {"name": "x", "prometheus": server.address, "query": query}
        try:
            return read_figure(Figure.model_validate(fields))
        except FigureError as error:
            return str(error)

    assert read("up + 1.5") == 1.5
    assert read("scalar(up) + 2") == 2
    assert read("up{job='other'}") == "the query has 0 results; it must have one"
    assert read("0 / up") == "the result is not a number: 'NaN'"
    assert "parse error: unclosed left parenthesis" in str(read("rate(up[1m]"))


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
