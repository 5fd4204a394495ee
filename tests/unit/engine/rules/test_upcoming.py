"""What the snapshot announces as next."""

from __future__ import annotations

import pytest

from plancton.engine.model.operator import Mode, PilotCommand
from tests.scenario.rig import Rig


def test_the_snapshot_says_what_comes_next() -> None:
    """A time to live, a grace, a back-off: whatever is first, and nothing if there is none."""
    rig = Rig(1, pilots=[{"ttl": "100s", "grace": "7s"}], spawn={"maximum": 1})
    rig.node.lifetime = lambda _: 1e6
    rig.node.ignores_term = True
    rig.run(20)
    coming = rig.latest.coming
    assert coming
    assert coming.code == "next-ttl"
    assert coming.wall == pytest.approx(rig.latest.wall + (rig.latest.pilots[0].ttl_left or 0))
    rig.run(87)
    assert rig.latest.coming
    assert "is killed unless it ends before" in rig.latest.coming.text
    failing = Rig(1)
    failing.node.refuses = "no"
    failing.run(5)
    assert failing.latest.coming
    assert failing.latest.coming.text == "default is tried again"
    idle = Rig(1, spawn={"maximum": 0})
    idle.run(5)
    assert idle.latest.coming is None


def test_a_draining_node_has_no_next_start() -> None:
    """Only the ends of its pilots."""
    rig = Rig(2)
    rig.run(10)
    rig.word.value = Mode.DRAINING
    rig.run(5)
    assert rig.latest.coming
    assert rig.latest.coming.code == "next-ttl"


def test_what_does_not_happen_is_not_announced() -> None:
    """No try of a failing profile while the node drains, no end of what the operator froze."""
    failing = Rig(1)
    failing.node.refuses = "no"
    failing.run(5)
    failing.word.value = Mode.DRAINING
    failing.run(5)
    assert failing.latest.coming is None
    failing.word.value = Mode.ACTIVE
    failing.settings.set(node={"drain": True})
    failing.run(5)
    assert failing.latest.coming is None
    frozen = Rig(1, pilots=[{"ttl": "10d"}])
    frozen.node.lifetime = lambda _: 1e9
    frozen.run(10)
    frozen.engine.command_pilot(frozen.latest.pilots[0].id, PilotCommand.FREEZE)
    frozen.engine.turn(0)
    frozen.run(10)
    assert frozen.latest.pilots[0].state == "frozen"
    assert frozen.latest.coming
    assert frozen.latest.coming.code == "next-ttl"
