"""What the foreground waited for a core, from the counter to the ledger, status and alarms."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from plancton.cli.render import ledger_text, status_text
from plancton.engine.model.node import Protection, Stalled
from plancton.engine.records.ledger import Account
from plancton.engine.views.text import waited_line
from plancton.monitor.points import node_points
from tests.scenario.rig import Rig


def test_beside_pilots_and_without_are_told_apart() -> None:
    """The same waiting without pilots is what the owner's tasks do to each other."""
    rig = Rig(4, node={"drain": True})
    rig.node.lifetime = lambda _: math.inf
    rig.node.foreground, rig.node.foreground_delay = 2.0, 0.004
    rig.run(100)
    alone = rig.latest.ledger.total
    assert alone.waited_share is None
    assert alone.waited_share_alone == pytest.approx(0.002)
    rig.settings.set()
    rig.run(10)
    begun = rig.latest.ledger.total
    rig.node.foreground_delay = 0.006
    rig.run(200)
    total = rig.latest.ledger.total
    assert total.waited - begun.waited == pytest.approx(1.2, rel=0.05)
    assert total.waited_share == pytest.approx(0.003, rel=0.05)
    assert total.waited_share_alone == pytest.approx(0.002, rel=0.05)
    assert rig.latest.load is not None
    assert rig.latest.load.waited == pytest.approx(0.006)
    assert "waited 6.0 ms a second (over 10 s)" in status_text(rig.latest)
    assert "3.0 ms beside pilots, 2.0 ms without pilots" in waited_line(rig.latest)
    assert "foreground waited, beside pilots" in ledger_text(rig.latest.ledger)
    points = {point.measurement: point.fields for point in node_points(rig.latest, 30)}
    assert points["plancton_host"]["waited"] == pytest.approx(0.006)
    assert points["plancton_ledger"]["waited_seconds"] == pytest.approx(total.waited)


def test_what_the_owner_does_not_get_is_waited() -> None:
    """Where nothing protects it, a foreground that wants all cores waits beside pilots."""
    rig = Rig(4, protect={"freeze": False})
    rig.node.lifetime = lambda _: math.inf
    rig.run(60)
    rig.node.protection = Protection.WEIGHT_ONLY
    rig.node.foreground = 4.0
    rig.run(5)
    assert rig.latest.ledger.total.waited > 5.0


def test_where_it_cannot_be_read_nothing_is_booked_and_status_says_why() -> None:
    """No zero pretends that nobody waited."""
    rig = Rig(2)
    rig.node.waited_readable = False
    rig.node.host = replace(rig.node.host, waited_missing="boot it with psi=1")
    rig.node.foreground_delay = 1.0
    rig.run(60)
    total = rig.latest.ledger.total
    assert (total.waited, total.foreground, total.foreground_alone) == (0.0, 0.0, 0.0)
    assert "not known: boot it with psi=1" in status_text(rig.latest)
    assert "foreground waited" not in ledger_text(rig.latest.ledger)
    assert all("waited" not in point.fields for point in node_points(rig.latest, 30))


def test_accounts_of_older_versions_are_read() -> None:
    """They know nothing of waiting."""
    old = TypeAdapter(Account).validate_json('{"seconds": 5.0, "harvested": 3.0, "started": 1}')
    assert old == Account(seconds=5.0, harvested=3.0, started=1)
    assert old.waited_share is None


@pytest.mark.parametrize(
    ("foreground_only", "words"),
    [(True, "40 % of 10 s, the foreground alone"), (False, "40 % of 10 s, pilots included")],
)
def test_status_says_whose_cpu_stall_it_is(foreground_only: bool, words: str) -> None:
    """Only the foreground's own can be used with the idle class."""
    rig = Rig(2, protect={"stall": {"cpu": {"stop_above": 20}}})
    rig.node.host = replace(rig.node.host, stalled={"cpu": Stalled(40.0, 1.0, foreground_only)})
    rig.run(10)
    assert words in status_text(rig.latest)
    assert not rig.running
