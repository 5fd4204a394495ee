"""What is shown at one moment."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.views.snapshot import SinkState
from plancton.engine.views.text import sink_line
from plancton.tui.moment import Moment
from plancton.tui.texts import reasons
from tests.scenario.rig import Rig


def test_targets_of_metrics_are_shown_once() -> None:
    """One that works with its figures; one that fails as a warning, with the same figures."""
    rig = Rig(1)
    rig.run(5)
    good = SinkState("InfluxDB one", sent=7, dropped=2)
    bad = SinkState("InfluxDB two", queued=3, error="it answers 401", failures=1)
    view = Moment("here", replace(rig.latest, sinks=(good, bad), warnings=(sink_line(bad),)))
    lines = ["".join(text for text, _ in line) for line in reasons(view)]
    assert "  InfluxDB one: 7 points sent, 0 kept, 2 lost" in lines
    assert [line for line in lines if "InfluxDB two" in line] == [
        "! InfluxDB two fails: it answers 401 (0 points sent, 3 kept, 0 lost)"
    ]
