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


def test_cores_used_beyond_the_promise_are_harvested_and_promised_ones_left_are_named() -> None:
    """All that pilots use is harvested; idle promised cores count only if no pilot used as many."""
    pilots = [{"image": "busybox", "cpu_limit": "none"}]
    rig = Rig(8, pilots=pilots, spawn={"maximum": 2}, protect={"latency": "off"})
    rig.node.lifetime = lambda _: 50_000.0
    rig.run(100)
    before = rig.latest.ledger.total
    rig.node.pilot_cpu = 0.25  # of eight cores: four for both together
    rig.run(100)
    total = rig.latest.ledger.total
    assert total.harvested - before.harvested == pytest.approx(4 * 100, rel=0.05)
    missed = {why: total.missed[why] - before.missed.get(why, 0.0) for why in total.missed}
    assert missed["full"] == pytest.approx(4 * 100, rel=0.05)
    assert missed.get("pilots idle", 0.0) == pytest.approx(0.0, abs=5)
    rig.node.pilot_cpu = 0.0625  # of eight cores: one for both together, and two are promised
    rig.run(100)
    idle = rig.latest.ledger.total.missed["pilots idle"] - total.missed.get("pilots idle", 0.0)
    assert idle == pytest.approx(100, rel=0.1)
