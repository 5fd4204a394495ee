"""What the command line prints."""

from __future__ import annotations

from plancton.cli.render import status_text, why_text
from plancton.engine.model.node import Protection
from plancton.engine.model.operator import Mode
from tests.scenario.rig import Rig


def test_the_configurations_drain_is_not_the_operators() -> None:
    """Each holds until its own word takes it back, and is shown as what it is."""
    rig = Rig(2)
    rig.run(10)
    rig.settings.set(node={"drain": True})
    rig.run(120)
    assert rig.latest.pilots == ()
    assert rig.latest.mode is Mode.ACTIVE
    assert "active, but the configuration asks to drain" in status_text(rig.latest)
    assert "now\n  the configuration asks to drain (node.drain)" in why_text(rig.latest)
    rig.word.value = Mode.DRAINING
    rig.run(5)
    assert "asks to drain" not in status_text(rig.latest)
    rig.settings.set(node={"drain": False})
    rig.run(5)
    assert rig.latest.pilots == ()
    rig.word.value = Mode.ACTIVE
    rig.run(5)
    assert len(rig.latest.pilots) == 2


def test_status_says_whether_pilots_may_use_more_than_their_promise() -> None:
    """If any ever may."""
    rig = Rig(2)
    rig.run(5)
    assert "cpu limit" not in status_text(rig.latest)
    rig.settings.set(pilots=[{"image": "busybox", "cpu_limit": "none"}])
    rig.run(5)
    text = "cpu limit   pilots may use idle cores beyond those promised to them"
    assert text in status_text(rig.latest)
    rig.node.protection = Protection.WEIGHT_ONLY
    rig.run(5)
    text = "cpu limit   pilots are held to the cores promised to them: they are not in the idle"
    assert text in status_text(rig.latest)
