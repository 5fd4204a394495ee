"""When a node reports: many of them, switched on together, do not do so together."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from plancton.config.schema import Monitor
from plancton.monitor.publisher import MetricsPublisher
from plancton.service.process.supervisor import ThreadSupervisor
from tests.conftest import until
from tests.scenario.rig import Rig

NOBODY = "http://127.0.0.1:9#plancton"


def sinks(folder: Path) -> MetricsPublisher:
    """Return the sinks of a node that was seen already."""
    rig = Rig(2)
    rig.run(30)
    made = MetricsPublisher("node", "t", folder)
    made.publish(rig.latest)
    return made


def test_first_reports_are_spread_over_an_interval(tmp_path: Path) -> None:
    """At most over half a minute, as one wants to see a new node soon."""
    for interval, longest in ((1.0, 1.0), (30.0, 30.0), (3600.0, 30.0)):
        made = sinks(tmp_path)
        waits = [made.first_report_delay(Monitor(interval=interval)) for _ in range(200)]
        assert 0 <= min(waits) < 0.1 * longest
        assert 0.9 * longest < max(waits) <= longest


def test_the_first_report_waits_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although there is something to tell from the first moment on."""
    monkeypatch.setattr(random, "uniform", lambda _, high: high)
    made, supervisor = sinks(tmp_path), ThreadSupervisor()
    made.configure(Monitor.model_validate({"interval": 1, "influxdb": [NOBODY]}))
    began = time.monotonic()
    supervisor.start("metrics", made.run)
    try:
        until(lambda: any(state.queued or state.error for state in made.status()))
        assert time.monotonic() - began >= 1
        assert made.first_report_delay(Monitor()) == 0  # what is changed later applies at once
    finally:
        made.stop()
    assert not supervisor.failure
