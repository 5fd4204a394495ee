"""Pilots that write: each within its bound, and all within what the disk has."""

from __future__ import annotations

from dataclasses import replace

from tests.scenario.rig import Rig

MB = 10**6
QUIET = {"pull": False}


def test_a_pilot_that_writes_too_much_goes_and_its_profile_waits() -> None:
    """It is ended, said so, counted, and not at once replaced."""
    rig = Rig(pilots=[{"disk": "1GB"}], spawn={"maximum": 1}, image=QUIET)
    rig.node.lifetime = lambda _: 1e6
    rig.node.write_rate = 50 * MB
    rig.run(40)
    assert rig.node.actions[0].startswith("terminate")
    (ended,) = rig.latest.ended
    assert ended.code == "over-disk"
    assert "more than its 1 GB" in ended.reason
    assert rig.said("default waits for")
    assert rig.latest.ledger.total.ended == {"over disk": 1}
    assert rig.latest.evicted == 0
    rig.run(40)
    assert rig.latest.ledger.total.started > 1


def test_before_the_disk_is_full_pilots_go_one_by_one() -> None:
    """The rest has room then, and none starts while less than stop_below is free."""
    rig = Rig(pilots=[{"disk": "off"}], spawn={"maximum": 3}, image=QUIET)
    rig.node.lifetime = lambda _: 1e6
    rig.run(20)
    rig.node.host = replace(rig.node.host, disk_free=10**10)
    rig.node.write_rate = 10 * MB
    rig.run(900)
    rig.node.write_rate = 0.0
    assert rig.latest.evicted > 1
    assert {each.code for each in rig.latest.ended} == {"full-disk"}
    assert all("wrote most of all pilots" in each.reason for each in rig.latest.ended)
    assert not any(action.startswith("kill") for action in rig.node.actions)
    lowest = min(s.host.disk_free for s in rig.seen if s.host)
    assert lowest > 250 * MB


def test_a_disk_that_others_fill_ends_no_pilot() -> None:
    """Their end would free nothing; but none is started."""
    rig = Rig(spawn={"maximum": 2}, image=QUIET)
    rig.node.lifetime = lambda _: 1e6
    rig.run(20)
    rig.node.host = replace(rig.node.host, disk_free=10 * MB)
    rig.run(100)
    assert rig.running == 2
    assert rig.said("10 MB are free on Docker's disk, less than 2 GB")


def test_the_views_show_what_was_written() -> None:
    """Beside the bound it is measured against."""
    rig = Rig(pilots=[{"disk": "5GB"}], spawn={"maximum": 1}, image=QUIET)
    rig.node.write_rate = MB
    rig.run(30)
    (pilot,) = rig.latest.pilots
    assert pilot.disk == 5 * 10**9
    assert 20 * MB < (pilot.disk_used or 0) < 31 * MB
