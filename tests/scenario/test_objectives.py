"""An owner's objective over time: violated, pilots frozen one by one, kept, pilots go on."""

from __future__ import annotations

from typing import Any

from plancton.engine.views.snapshot import Snapshot
from tests.scenario.rig import Rig

LATENCY = {"name": "p99", "command": ["/bin/p99"], "limit": 25, "unit": "ms"}


def rig(**changes: Any) -> Rig:
    """Return a node of three cores whose objective is kept."""
    one = Rig(3, pilots=[{"ttl": "1d"}], protect={"slo": [{**LATENCY, **changes}]})
    one.node.lifetime = lambda _: 1e9
    one.node.figures["p99"] = 10.0
    one.run(40)
    assert one.running == 3
    return one


def _signal(snapshot: Snapshot) -> str:
    (found,) = (each for each in snapshot.signals if each.name == "slo p99")
    return f"{found.reading} ({found.limits}) {found.acts}".rstrip()


def test_violated_and_kept_again() -> None:
    """In the idle class, too; the youngest first, and the last frozen goes on first."""
    node = rig()
    assert _signal(node.latest) == "10 ms, 0 s ago (freeze above 25 ms)"
    node.node.figures["p99"] = 41.0
    node.run(10)
    assert node.running == 3
    assert node.said("a pilot is frozen at 20 s: p99 is 41 ms, over its limit of 25 ms for ")
    node.run(20)
    assert node.running == 2
    assert node.said("p99 is 41 ms, over its limit of 25 ms for 20 s")
    assert _signal(node.latest).endswith("freeze above 25 ms) freeze")
    assert [each.name for each in node.latest.signals if each.acts] == ["slo p99"]
    frozen = [pilot.name for pilot in node.latest.pilots if pilot.state == "frozen"]
    assert frozen == [max(pilot.name for pilot in node.latest.pilots)]
    node.run(20)
    assert node.running == 1
    node.node.figures["p99"] = 12.0
    node.run(50)
    assert node.running == 1
    assert node.said("over, but it must stay so for")
    node.run(20)
    assert node.running == 2
    node.run(50)
    assert node.running == 2
    node.run(15)
    assert node.running == 3
    assert node.latest.ledger.total.evicted == 0


def test_a_violation_that_returns_stops_those_that_wait() -> None:
    """Between two that go on, the figure shows what the first did to it."""
    node = rig()
    node.node.figures["p99"] = 41.0
    node.run(50)
    assert node.running == 1
    node.node.figures["p99"] = 12.0
    node.run(70)
    assert node.running == 2
    node.node.figures["p99"] = 30.0
    node.run(19)
    assert node.running == 2
    node.run(10)
    assert node.running == 1


def test_a_figure_that_fails_harms_nobody() -> None:
    """While it is known it counts, then pilots run as without it; each is said once."""
    node = rig()
    node.node.figures["p99"] = 41.0
    node.run(28)
    assert node.running == 2
    node.node.figures["p99"] = "the command did not end within 2 s"
    node.run(5)
    assert "FAILS: the command did not end within 2 s" in _signal(node.latest)
    assert "protect.slo[p99]: the command did not end within 2 s" in node.latest.warnings
    (view,) = node.latest.objectives
    assert (view.value, view.limit, view.unit) == (41.0, 25.0, "ms")
    node.run(160)
    assert node.running == 3
    text = "p99 is not known, so pilots run as without this objective: the command did not end"
    assert node.said(text)
    assert node.latest.objectives[0].value is None
    events = [event.text for event in node.latest.events]
    assert len([text for text in events if "a figure cannot be read" in text]) == 1
    node.node.figures["p99"] = 10.0
    node.run(5)
    assert node.said("a figure can be read again figure=p99")
    assert not node.latest.warnings
    assert not node.latest.findings or "p99" not in node.latest.findings[0].text


def test_an_objective_taken_out_lets_pilots_go_on() -> None:
    """What it asked for counts as over after its recover."""
    node = rig()
    node.node.figures["p99"] = 41.0
    node.run(28)
    assert node.running == 2
    node.settings.set(pilots=[{"ttl": "1d"}])
    node.run(70)
    assert node.running == 3
    assert node.latest.objectives == ()


def test_what_the_owner_waits_for_a_core() -> None:
    """As the node's own counter tells, over the last seconds."""
    node = rig()
    slo = {"name": "wait", "waited": True, "limit": 100}
    node.settings.set(pilots=[{"ttl": "1d"}], protect={"slo": [slo]})
    node.run(30)
    assert node.running == 3
    node.node.foreground_delay = 0.4
    node.run(32)
    assert node.running == 2
    assert node.said("ms/s, over its limit of 100 ms/s for 20 s")
    node.node.foreground_delay = 0.0
    node.run(90)
    assert node.running == 3
