"""Every idle core-second is explained."""

from __future__ import annotations

import pytest

from tests.scenario.rig import Rig


def test_the_ledger_explains_every_idle_core_second() -> None:
    """What is harvested and what is missed add up to what the foreground left."""
    rig = Rig(4, spawn={"maximum": 3})
    rig.run(30)
    rig.node.foreground = 2.0
    rig.run(300)
    rig.node.foreground = 0.0
    rig.node.lifetime = lambda _: 1.0
    rig.run(600)
    rig.node.down = "it is away"
    rig.run(60)
    rig.node.down = ""
    rig.run(10)
    total = rig.latest.ledger.total
    lent = 4 * total.seconds - 2.0 * 300
    assert total.idle == pytest.approx(lent, rel=0.02)
    assert {"backoff", "full", "warming up", "docker away"} <= set(total.missed)
    assert total.ended["exited"] > 3
