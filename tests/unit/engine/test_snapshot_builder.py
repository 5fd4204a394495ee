"""Figures of pilots in a snapshot."""

from __future__ import annotations

import pytest

from tests.scenario.rig import Rig


def test_pilots_show_efficiency_memory_and_place() -> None:
    """As far as they are known."""
    rig = Rig(2, spawn={"maximum": "ncpus"})
    rig.node.pilot_cpu = 0.5
    rig.run(30)
    pilot = rig.latest.pilots[0]
    assert pilot.efficiency == pytest.approx(0.5, abs=0.02)
    assert pilot.memory_used == 500_000_000
    assert (pilot.slot, pilot.before, pilot.last_exit) == (1, 0, "")
    rig.run(60)
    assert rig.latest.pilots[0].before == 1
    assert "exited with code 0" in rig.latest.pilots[0].last_exit


def test_what_a_pilot_used_beyond_its_promise_is_no_efficiency() -> None:
    """That is a part of the promise, so never above 1; the mean has the rest."""
    more = {"image": "busybox", "cpus": 1.5, "cpu_limit": "none"}
    rig = Rig(8, pilots=[more], spawn={"maximum": 1})
    rig.run(40)
    (pilot,) = rig.latest.pilots
    assert (pilot.cpus, pilot.efficiency, pilot.cpu_limit) == (1.5, 1.0, 8.0)
    assert pilot.mean_cpu == pytest.approx(8.0, abs=0.1)
    assert rig.latest.committed == 1.5
    assert rig.latest.cpu_limit == "pilots may use idle cores beyond those promised to them"
    rig.node.pilot_cpu = 0.0
    rig.run(19)
    (pilot,) = rig.latest.pilots
    assert pilot.efficiency == 1.0
    assert pilot.cpu == pytest.approx(0.0)
    assert pilot.mean_cpu is not None
    assert 5 < pilot.mean_cpu < 6.5
    plain = Rig(2)
    plain.run(30)
    assert plain.latest.cpu_limit == ""
    assert plain.latest.pilots[0].cpu_limit == 1.0
