"""What a database keeps of a node stays bounded, however many pilots end."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from plancton.monitor.points import end_points
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
