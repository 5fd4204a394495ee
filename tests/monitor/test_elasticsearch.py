"""Elasticsearch: a strict stand-in, and a real server where one is named."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from plancton.config.schema import Monitor
from plancton.engine.api import RefusedError
from plancton.engine.views.snapshot import DecisionRecord
from plancton.monitor.publisher import MetricsPublisher
from tests.conftest import until
from tests.monitor.bulk import BulkServer
from tests.monitor.conftest import Reporter

REAL = os.environ.get("PLANCTON_TEST_ELASTICSEARCH_URL", "")
Start = Callable[..., Reporter]
Bulk = Callable[..., BulkServer]


def decided(made: Reporter) -> None:
    """Let the engine decide something."""
    values = {"free": 1.5, "needed": 1}
    made.sinks.publish(
        DecisionRecord(1_700_000_000.5, "started", "plancton-a-1", "room", values, "room")
    )


def test_documents(bulk: Bulk, reporter: Start) -> None:
    """The node, ends and decisions, into data streams whose template is put first."""
    server = bulk(user="elastic:secret")
    made = reporter(elasticsearch=[server.url.replace("//", "//elastic:secret@")])
    made.ends(30)
    decided(made)
    made.sends()
    assert server.errors == []
    assert server.count("plancton-ends") == 30
    assert server.count("plancton-decisions") == 1
    (template,) = server.templates.values()
    assert template["data_stream"] == {}
    node = next(iter(server.documents["plancton-node"].values()))
    assert node["node"] == "node.example.org"
    assert node["status"]["mode"] == "active"
    assert node["pilots"]["a"]["running"] >= 1
    assert node["@timestamp"].endswith("+00:00")
    until(lambda: server.count() == made.state.sent)


def test_access(bulk: Bulk, reporter: Start) -> None:
    """An API key; a user who may only write; dated indices; a wrong password."""
    server = bulk(api_key="a2V5")
    made = reporter(
        elasticsearch=[{"url": server.url, "api_key": "a2V5", "prefix": "lab", "dated": True}]
    )
    made.ends(3)
    made.sends()
    assert set(server.documents) >= {"lab-ends-2023.11.14"}
    assert "data_stream" not in next(iter(server.templates.values()))
    assert server.errors == []

    writer = bulk(rights="write")
    made.configure(elasticsearch=[writer.url])
    until(lambda: writer.url in made.state.name)
    until(lambda: made.snapshot() and writer.count("plancton-node") >= 1, pause=0.3)
    assert writer.templates == {}

    made.configure(elasticsearch=[server.url])
    until(lambda: server.url in made.state.name)
    assert "401" in made.fails().error


def test_require_at_start(bulk: Bulk, tmp_path: Path) -> None:
    """A cluster that can be written to, or one sentence why not."""
    server = bulk()
    monitor = Monitor.model_validate({"elasticsearch": [server.url]})
    MetricsPublisher("n", "t", tmp_path).write_start_event(monitor, "1.0")
    ((start,),) = (kept.values() for kept in server.documents.values())
    assert (start["did"], start["values"]) == ("starting", {"version": "1.0"})
    assert server.errors == []
    server.fault = 401
    with pytest.raises(RefusedError, match="require_at_start"):
        MetricsPublisher("n", "t", tmp_path).write_start_event(monitor, "1.0")


@pytest.mark.parametrize("fault", [401, 403, 429, 500, 503])
def test_outages(fault: int, bulk: Bulk, reporter: Start) -> None:
    """Whatever it answers, nothing is lost and nothing is there twice."""
    server = bulk()
    made = reporter(elasticsearch=[server.url])
    made.ends(20)
    made.sends()
    server.fault = fault
    made.ends(200)
    assert str(fault) in made.fails().error
    server.fault = None
    state = made.sends()
    assert state.dropped == 0
    assert server.count("plancton-ends") == 220
    until(lambda: server.count() == made.state.sent)


def test_single_documents_that_fail(bulk: Bulk, reporter: Start) -> None:
    """Refused for good is counted; busy is tried again; there already is there."""
    server = bulk()
    server.item_faults = [400, 429, 503, 409, 400]
    made = reporter(elasticsearch=[server.url])
    made.ends(50)
    state = made.sends()
    assert state.dropped == 2
    # The one that was said to be there already was not stored by this server.
    until(lambda: server.count("plancton-") == made.state.sent - 1)


def test_413_is_halved(bulk: Bulk, reporter: Start) -> None:
    """A server that takes little at once gets little at once."""
    server = bulk()
    server.most = 5000
    made = reporter(elasticsearch=[server.url])
    made.ends(300)
    assert made.sends().dropped == 0
    assert server.count("plancton-ends") == 300


if REAL:

    def test_on_a_real_server(reporter: Start) -> None:
        """The same on the server that is named, in streams of their own that are removed again."""
        prefix = f"planctontest{uuid.uuid4().hex[:8]}"
        made = reporter(elasticsearch=[{"url": REAL, "prefix": prefix}])
        made.ends(25)
        decided(made)
        assert made.sends().dropped == 0
        try:
            for kind, count in (("ends", 25), ("decisions", 1)):
                requests.post(f"{REAL}/{prefix}-{kind}/_refresh", timeout=10)
                found = requests.get(f"{REAL}/{prefix}-{kind}/_count", timeout=10).json()
                assert found["count"] == count
        finally:
            requests.delete(f"{REAL}/_data_stream/{prefix}-*", timeout=10)
            requests.delete(f"{REAL}/_index_template/{prefix}", timeout=10)
