"""What ends pilots without a running engine ends itself, too."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.engine.model.operator import Mode
from plancton.engine.ports import RuntimeUnavailableError
from plancton.service import reap
from tests.scenario.rig import Rig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Return two pilots of a minute; sleeping passes the node's own time."""
    rig = Rig(2, pilots=[{"ttl": 60}])
    rig.node.lifetime = lambda _: 10_000.0
    rig.run(10)
    monkeypatch.setattr("plancton.service.reap.time.sleep", rig.node.advance)
    rig.engine.request_mode(Mode.DRAINING)
    return rig


def _fail(*_: Any) -> Any:
    raise ValueError("x")


def test_overdue_pilots_are_ended_and_a_failing_tick_is_said(rig: Rig) -> None:
    """Those that it cannot remove are not waited for."""
    rig.node.advance(60)
    rig.engine.rule = _fail
    with pytest.raises(RuntimeUnavailableError, match="the last tick failed"):
        reap._step_until_done(rig.engine)
    assert rig.running == 0


def test_a_forced_end_is_one_though_ticks_fail(rig: Rig) -> None:
    """All pilots are killed."""
    rig.engine.rule = _fail
    rig.engine.request_mode(Mode.FORCED)
    reap._step_until_done(rig.engine)
    assert rig.running == 0


def test_without_anything_due_there_is_nothing_to_do(rig: Rig) -> None:
    """Pilots run on."""
    assert reap._step_until_done(rig.engine) == (0, 2)
