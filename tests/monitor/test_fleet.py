"""All nodes at a glance, from a real database."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from plancton.config.schema import InfluxTarget, Monitor
from plancton.engine.api import RefusedError
from plancton.engine.model.operator import Mode
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.fleet_reader import FleetReader, read_fleet
from plancton.monitor.points import node_points
from plancton.monitor.sinks.influxdb import InfluxSink, line_protocol
from tests.monitor.conftest import Reporter
from tests.monitor.fleet import fill
from tests.monitor.servers import Gate, InfluxServer, Process, Victoria

Start = Callable[..., Reporter]


def report(server: InfluxServer, snapshot: Snapshot, interval: float = 30.0) -> None:
    """Write what one node tells in one moment."""
    InfluxSink(InfluxTarget(url=server.url())).send(line_protocol(node_points(snapshot, interval)))


def test_the_newest_report_of_each_node(influx: InfluxServer, reporter: Start) -> None:
    """Each node once, by what it told last, those in trouble first."""
    now = time.time()
    fine = replace(reporter().snapshot(), node="fine", wall=now)
    report(influx, replace(fine, wall=now - 60, mode=Mode.DRAINING))
    report(influx, fine)
    report(influx, replace(fine, node="quiet", wall=now - 3600))
    report(influx, replace(fine, node="away", degraded="no such file"))
    report(influx, replace(fine, node="draining", mode=Mode.DRAINING))
    report(influx, replace(fine, node="refused", config_error="line 3: no"))
    report(influx, replace(fine, node="long gone", wall=now - 8 * 86400))
    members = read_fleet(InfluxTarget(url=influx.url()))
    assert [m.node for m in members] == ["quiet", "away", "refused", "draining", "fine"]
    assert members[1].trouble == "Docker is away: no such file"
    assert members[0].ails(now).startswith("silent for 1 h")
    assert members[4].running == sum(p.state == "running" for p in fine.pilots) > 0
    assert members[4].ncpus == 4
    assert not members[4].ails(now)


def test_a_slow_reporter_is_not_silent(influx: InfluxServer, reporter: Start) -> None:
    """Whoever reports each hour is not missed after a minute."""
    now = time.time()
    report(influx, replace(reporter().snapshot(), wall=now - 600), interval=3600)
    (member,) = read_fleet(InfluxTarget(url=influx.url()))
    assert member.silence(now) == 0
    assert member.silence(now + 4 * 3600) > 0


def test_a_thousand_nodes_are_one_request(
    influx: InfluxServer, reporter: Start, gate: Callable[[int], Gate]
) -> None:
    """With ten pilots each; the second who looks within a moment costs the database nothing."""
    door = gate(influx.port)
    fill(influx.url(), reporter().snapshot(), 1000, 3, time.time())
    reader = FleetReader()
    monitor = Monitor.model_validate({"influxdb": [f"http://127.0.0.1:{door.port}#plancton"]})
    members = reader.read(monitor)
    assert len({member.node for member in members}) == 1000
    assert reader.read(monitor) == members
    assert door.seen == ["/query"]


@pytest.mark.parametrize(("fault", "words"), [(401, "401"), (403, "may not"), (500, "500")])
def test_a_database_that_refuses(
    influx: InfluxServer, gate: Callable[[int], Gate], fault: int, words: str
) -> None:
    """One sentence, without the password."""
    door = gate(influx.port)
    door.fault = fault
    with pytest.raises(RefusedError, match=words) as caught:
        read_fleet(InfluxTarget(url=f"http://u:secret@127.0.0.1:{door.port}#plancton"))
    assert "secret" not in str(caught.value)


def test_a_database_that_is_none(
    influx: InfluxServer, tmp_path_factory: pytest.TempPathFactory, run: Callable[[Process], None]
) -> None:
    """No database of this name, no such language, no server, none configured: each says so."""
    with pytest.raises(RefusedError, match="not found"):
        read_fleet(InfluxTarget(url=influx.url(database="nowhere")))
    server = Victoria(tmp_path_factory.mktemp("victoria") / "data")
    run(server)
    with pytest.raises(RefusedError, match="InfluxDB"):
        read_fleet(InfluxTarget(url=f"{server.address}#plancton"))
    with pytest.raises(RefusedError, match=r"cannot be reached \(Connection refused\)$"):
        read_fleet(InfluxTarget(url="http://127.0.0.1:9#plancton"))
    with pytest.raises(RefusedError, match="--url"):
        FleetReader().read(Monitor())
