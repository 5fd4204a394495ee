"""Figures of pilots in a snapshot."""

from __future__ import annotations

import pytest

from tests.scenario.rig import Rig


def test_pilots_show_efficiency_memory_and_place() -> None:
    """As far as they are known."""
    rig = Rig(2)
    rig.node.pilot_cpu = 0.5
    rig.run(30)
    pilot = rig.latest.pilots[0]
    assert pilot.efficiency == pytest.approx(0.5, abs=0.02)
    assert pilot.memory_used == 500_000_000
    assert (pilot.slot, pilot.before, pilot.last_exit) == (1, 0, "")
    rig.run(60)
    assert rig.latest.pilots[0].before == 1
    assert "exited with code 0" in rig.latest.pilots[0].last_exit
