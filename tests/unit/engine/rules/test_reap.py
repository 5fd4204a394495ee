"""What has ended, or never started, is removed."""

from __future__ import annotations

from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import PilotState
from tests.unit.engine.rules.tables import NOW, kinds, look, pilot, run


def test_an_orphan_is_removed_only_after_its_time_to_start() -> None:
    """A created container may still be starting; later, or after a reboot, it is an orphan."""
    young = look(pilot("a", state=PilotState.CREATED, created_at=NOW - 29), mode=Mode.DRAINING)
    old = look(pilot("a", state=PilotState.CREATED, created_at=NOW - 31), mode=Mode.DRAINING)
    before = look(pilot("a", state=PilotState.CREATED, created_at=NOW + 9e4), mode=Mode.DRAINING)
    assert kinds(run(young)) == []
    assert kinds(run(old)) == ["Remove a"]
    assert kinds(run(before)) == ["Remove a"]
