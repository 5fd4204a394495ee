"""What the screen says of a pilot."""

from __future__ import annotations

import pytest

from plancton.engine.views.snapshot import PilotView
from plancton.tui.moment import Moment
from plancton.tui.texts import pilot_facts


@pytest.mark.parametrize(
    ("fields", "now", "efficiency"),
    [
        ({}, "- of 1 cores", "- of its cores since its start"),
        (
            {"cpu": 0.5, "efficiency": 0.5, "mean_cpu": 0.5, "cpu_limit": 1.0},
            "0.50 of 1 cores",
            "50 % of its cores since its start",
        ),
        (
            {"cpu": 3.98, "efficiency": 1.0, "mean_cpu": 3.5, "cpu_limit": 8.0},
            "3.98 cores, 1 promised, at most 8",
            "100 % of its cores since its start, and 2.50 idle ones beside",
        ),
    ],
)
def test_cores_beyond_the_promise_are_told_apart(
    fields: dict[str, float], now: str, efficiency: str
) -> None:
    """They are no efficiency above 100 %."""
    values = {"cpus": 1.0, "cpu": None, **fields}
    pilot = PilotView("a", "plancton-a", "a", "running", 60.0, 60.0, **values)  # type: ignore[arg-type]
    facts = dict(pilot_facts(pilot, Moment("here")))
    assert (facts["cpu now"], facts["efficiency"]) == (now, efficiency)
