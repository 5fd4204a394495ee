"""Rows of the table of pilots."""

from __future__ import annotations

import pytest

from plancton.tui.short_units import short_duration, short_size
from plancton.tui.widgets.pilot_rows import COLUMNS, PilotRow, filtered_and_sorted, matches, ttl_bar
from tests.scenario.rig import Rig


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (61, "1m1s"), (3600, "1h"), (36000, "10h"), (90061, "1d1h")],
)
def test_durations_are_brief(seconds: float, text: str) -> None:
    """Five characters are enough."""
    assert short_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0kB"), (999_400, "999kB"), (1.25e6, "1.2MB"), (5e8, "500MB"), (2e9, "2.0GB")],
)
def test_sizes_are_brief(size: float, text: str) -> None:
    """Six characters are enough."""
    assert short_size(size) == text


def test_rows_are_sorted_filtered_and_drawn() -> None:
    """By each column, without a pilot lost; unknown figures come last."""
    rig = Rig(4, pilots=[{"name": "a"}, {"name": "b", "cpus": 0.5}])
    rig.run(40)
    pilots = rig.latest.pilots
    for column in COLUMNS:
        for reverse in (False, True):
            lines = filtered_and_sorted(pilots, 3.0, {}, "", column, reverse=reverse)
            assert {line.pilot.id for line in lines} == {pilot.id for pilot in pilots}
            assert all(isinstance(column.cell(line), str) for line in lines)
    asked = filtered_and_sorted(pilots, 0.0, {pilots[0].id: "killing"}, "killing", COLUMNS[0])
    assert [line.state for line in asked] == ["killing…"]
    assert matches(PilotRow(pilots[0]), f"{pilots[0].profile} running")
    assert len(ttl_bar(PilotRow(pilots[0]))) == 5
