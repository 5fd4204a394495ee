"""What a database keeps of a node stays bounded, however many pilots end."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from plancton.monitor.points import end_points, node_points
from plancton.monitor.sinks.elasticsearch import node_records
from plancton.monitor.sinks.prometheus import exposition
from tests.scenario.rig import Rig

ROOT = Path(__file__).parents[3]


def test_a_days_ends_of_a_hundred_pilots_are_a_handful_of_series() -> None:
    """InfluxDB refuses a tag with more than 100,000 values: names are fields."""
    rig = Rig(2, pilots=[{"ttl": 60}])
    rig.run(200)
    (one, *_) = rig.latest.ended
    series = {
        (point.measurement, tuple(sorted(point.tags.items())))
        for number in range(100 * 24 * 6)
        for point in end_points(
            "node.example", "root", replace(one, name=f"plancton-{number}"), number
        )
    }
    assert len(series) == 2


@pytest.mark.parametrize(
    "page", [*(ROOT / "plancton/monitor").rglob("*.py"), *(ROOT / "docs").glob("*.md")], ids=str
)
def test_the_keyword_measurement_is_quoted_in_queries(page: Path) -> None:
    """0.6.0 chose a name that InfluxQL keeps for itself."""
    assert not re.search(r"\bFROM\s+measurement\b", page.read_text(), re.IGNORECASE)


def test_objectives_of_the_owner_are_points_of_their_own() -> None:
    """One that is not known has no value, and says so."""
    slo = [{"name": name, "command": ["/bin/p99"], "limit": 25} for name in ("shop p99", "queue")]
    rig = Rig(2, protect={"slo": slo})
    rig.node.figures |= {"shop p99": 41.0, "queue": "the command failed with exit code 1"}
    rig.run(20)
    points = node_points(rig.latest, 15.0)
    found = {p.tags["objective"]: dict(p.fields) for p in points if "objective" in p.tags}
    assert found == {
        "shop p99": {"value": 41.0, "limit": 25.0, "known": 1},
        "queue": {"limit": 25.0, "known": 0},
    }
    (record,) = node_records(rig.latest, 15.0)
    document = json.loads(record.split(" ", 3)[3])
    assert document["objectives"][0] == {"name": "shop p99", "value": 41, "limit": 25, "known": 1}
    assert "the command failed with exit code 1" in document["status"]["trouble"]
    text = exposition(rig.latest)[0].decode()
    assert 'plancton_objective_value{objective="shop p99"} 41.0' in text
    assert 'plancton_objective_value{objective="queue"}' not in text
    assert 'plancton_objective_known{objective="queue"} 0.0' in text
    assert 'plancton_objective_limit{objective="queue"} 25.0' in text
