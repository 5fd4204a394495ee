"""Metrics of a real run: real pilots, real databases, each query of each dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import PLANCTON, Service
from tests.monitor.servers import InfluxServer, PrometheusServer, free_port, running

pytestmark = pytest.mark.docker
SHORT = {"command": "sleep 2", "cpus": 0.1, "memory": "16MB"}


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[InfluxServer]:
    """Return a running database."""
    server = InfluxServer(tmp_path / "influx")
    with running(server):
        server.ask('CREATE DATABASE "plancton"')
        yield server


def exported(folder: Path, service: Service, database: str) -> dict[str, Any]:
    """Return the dashboards for a database, by name, as the command writes them."""
    done = service.command("dashboards", "export", "--for", database, str(folder))
    assert done.returncode == 0, done.stderr
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_every_query_of_the_dashboards(
    service: Service, containers: Containers, influx: InfluxServer, tmp_path: Path
) -> None:
    """Each returns data of a real run, from InfluxDB and from Prometheus."""
    address = f"127.0.0.1:{free_port()}"
    monitor = {"interval": "1s", "influxdb": [influx.url()], "prometheus": address}
    service.configure(SHORT, spawn={"maximum": 2, "short_life": "0s"}, monitor=monitor)
    service.start()
    prometheus = PrometheusServer(tmp_path / "prometheus", address)
    with running(prometheus):
        until(lambda: influx.count("plancton_exit", "lifetime") >= 3, 60)
        until(lambda: prometheus.ask("plancton_pilot_lifetime_seconds_count > 2"), 60)
        # A rate needs two looks at a counter that has moved.
        until(lambda: prometheus.ask("increase(plancton_pilots_ended_total[20s]) > 0"), 60)
        node = service.status()["node"]
        asked = 0
        for name, board in exported(tmp_path / "influx-boards", service, "influxdb").items():
            for query in influx_queries(board):
                text = query.replace("$timeFilter", "time > now() - 10m")
                text = text.replace("$__interval", "5s").replace("$node", re.escape(node))
                assert influx.ask(text), f"{name}: {query}"
                asked += 1
        for name, board in exported(tmp_path / "prometheus-boards", service, "prometheus").items():
            for query in prometheus_queries(board):
                text = query.replace("$__rate_interval", "20s").replace("$instance", address)
                assert prometheus.ask(text, minutes=1), f"{name}: {query}"
                asked += 1
        assert asked > 50
        (node_choice,) = influx.ask('SHOW TAG VALUES FROM "plancton_node" WITH KEY = "node"')
        assert node_choice["values"] == [["node", node]]


def influx_queries(board: dict[str, Any]) -> Iterator[str]:
    """Yield what a dashboard asks an InfluxDB."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["query"]


def prometheus_queries(board: dict[str, Any]) -> Iterator[str]:
    """Yield what a dashboard asks a Prometheus."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_a_database_that_goes_and_comes_back(
    service: Service, containers: Containers, influx: InfluxServer, tmp_path: Path
) -> None:
    """Pilots run as before, status says what is kept, nothing is lost; the target changes live."""
    spawn = {"maximum": 2, "short_life": "0s"}
    service.configure(SHORT, spawn=spawn, monitor={"interval": "1s", "influxdb": [influx.url()]})
    service.start()
    until(lambda: influx.count("plancton_exit", "lifetime") >= 2, 60)
    assert "metrics" in service.ask("status")
    influx.kill()
    until(lambda: service.status()["sinks"][0]["error"], 30)
    before = service.status()
    until(lambda: service.status()["spawned"] >= before["spawned"] + 3, 60)
    text = service.ask("status")
    assert re.search(
        r"InfluxDB http://127\.0\.0\.1:\d+#plancton fails since .* cannot be reach", text
    )
    assert service.status()["sinks"][0]["queued"] > 0
    influx.start()
    until(lambda: not service.status()["sinks"][0]["queued"], 60)
    (sink,) = service.status()["sinks"]
    assert (sink["dropped"], sink["error"]) == (0, "")

    other = InfluxServer(tmp_path / "other")
    with running(other):
        other.ask('CREATE DATABASE "plancton"')
        service.configure(SHORT, spawn=spawn, monitor={"interval": "1s", "influxdb": [other.url()]})
        until(lambda: other.count("plancton_exit", "lifetime") >= 1, 60)
        until(lambda: other.url() in service.status()["sinks"][0]["name"])
    assert service.stop() == 0


def test_a_database_that_must_be_there(service: Service, influx: InfluxServer) -> None:
    """Without it the start is refused in one line; without that word, it starts."""
    away = f"http://user:secret@127.0.0.1:{free_port()}#plancton"
    service.configure(monitor={"influxdb": [away], "require_at_start": True})
    service.launch()
    assert service.ended() == 1
    last = service.log.strip().split("\n")[-1]
    assert last.startswith("plancton: InfluxDB http://")
    assert "monitor.require_at_start" in last
    assert "secret" not in service.log
    service.configure(monitor={"influxdb": [influx.url()], "require_at_start": True})
    service.start()
    assert influx.count("plancton_start", "version") == 1


def test_the_fleet(service: Service, influx: InfluxServer) -> None:
    """By the node's engine or straight from the database; as table, JSON and watched."""
    monitor = {"interval": "1s", "influxdb": [influx.url()]}
    service.configure(SHORT, spawn={"maximum": 1}, monitor=monitor)
    service.start()
    until(lambda: influx.count("plancton_node", "running") >= 2, 60)
    node = service.status()["node"]
    table = service.run("fleet")
    assert table.returncode == 0, table.stderr
    assert re.search(rf"^{re.escape(node)} +active", table.stdout, re.MULTILINE)
    assert "1 node, 0 silent" in table.stdout
    found = json.loads(service.command("fleet", "--url", influx.url(), "--json").stdout)
    assert [member["node"] for member in found] == [node]
    command = [PLANCTON, "fleet", "--watch", "--json", "--rundir", str(service.rundir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watched:
        assert watched.stdout
        lines = [watched.stdout.readline() for _ in range(2)]
        watched.terminate()
    assert [json.loads(line)[0]["node"] for line in lines] == [node, node]

    service.configure(SHORT, spawn={"maximum": 1}, monitor={"influxdb": []})
    service.ask("reload")
    refused = service.run("fleet")
    assert refused.returncode == 1
    assert "--url" in refused.stderr
    away = service.command("fleet", "--url", f"http://127.0.0.1:{free_port()}#plancton")
    assert away.returncode == 1
    assert len(away.stderr.strip().split("\n")) == 1
    assert service.command("fleet", "--url", "nonsense").returncode == 2
