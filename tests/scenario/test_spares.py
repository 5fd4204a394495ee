"""Spares, from the first pilot to the end of the engine."""

from __future__ import annotations

from dataclasses import replace

from plancton.engine.model.operator import Mode
from tests.scenario.rig import Rig

SPAWN = {"maximum": 2, "spare": True, "short_life": 0}


def rig(**spawn: object) -> Rig:
    """Return a node of two cores whose pilots live for 20 s."""
    made = Rig(2, spawn={**SPAWN, **spawn}, pilots=[{"name": "w"}])
    made.node.lifetime = lambda _: 20.0
    return made


def test_each_refill_takes_the_spare_and_makes_another() -> None:
    """Pilots that end at different times all have a spare to follow in; one is held at a time."""
    made = rig()
    made.run(10)
    assert made.running == 2
    assert len(made.node.spares) == 1
    made.node.lifetime = lambda _: 25.0  # the next do not end together any more
    made.run(100)
    assert made.running == 2
    assert len(made.node.spares) == 1
    assert made.node.started_in_spares >= 3
    assert made.node.prepared == made.node.started_in_spares + 1


def test_spares_are_no_pilots() -> None:
    """Neither shown, nor counted, nor promised anything."""
    made = rig(maximum=1)
    made.run(10)
    assert made.node.spares
    assert [view.profile for view in made.latest.pilots] == ["w"]
    assert made.latest.committed == 1.0
    assert made.latest.spawned == 1
    assert made.latest.ledger.total.started == 1


def test_it_is_made_anew_when_the_profile_or_the_image_changes() -> None:
    """What is written into a container stays as it is, so another is made."""
    made = rig()
    made.node.lifetime = lambda _: 1e6
    made.run(10)
    (old,) = made.node.spares
    made.settings.set(spawn=SPAWN, pilots=[{"name": "w", "memory": "1GB"}])
    made.run(15)
    (new,) = made.node.spares
    assert new.spec != old.spec
    made.node.image_ids["busybox:latest"] = "sha256:newer"
    made.run(15)
    (newer,) = made.node.spares
    assert newer.image_id == "sha256:newer"


def test_a_drain_removes_it_and_resume_brings_it_back() -> None:
    """While nothing is to start none is held."""
    made = rig()
    made.node.lifetime = lambda _: 1e6
    made.run(10)
    made.word.value = Mode.DRAINING
    made.run(10)
    assert made.node.spares == ()
    assert made.running == 2
    made.word.value = Mode.ACTIVE
    made.run(10)
    assert len(made.node.spares) == 1


def test_every_end_of_the_engine_leaves_none() -> None:
    """Force-stop, drain-stop, and a quit that leaves the pilots."""
    for mode in (Mode.FORCED, Mode.ENDING):
        made = rig()
        made.run(10)
        made.word.value = mode
        made.run(30)
        assert made.engine.finished
        assert made.node.spares == ()
        assert not made.node.containers
    made = rig()
    made.run(10)
    made.engine.quit()
    assert made.engine.turn(0) is None
    assert made.node.spares == ()
    assert made.running == 2


def test_a_killed_engine_leaves_it_to_the_next() -> None:
    """Which takes it over if it still fits, and removes it if not."""
    made = rig()
    made.node.lifetime = lambda _: 1e6
    made.run(10)
    (spare,) = made.node.spares
    made.engine = made.new_engine()
    made.run(10)
    assert made.node.spares == (spare,)
    made.node.spares = (replace(spare, outdated="the wall clock was set"),)
    made.engine = made.new_engine()
    made.run(15)
    (other,) = made.node.spares
    assert other.id != spare.id


def test_where_none_can_be_made_pilots_start_as_ever() -> None:
    """An image without a shell: said once, tried seldom, and no reason to wait."""
    made = rig()
    made.node.cannot_prepare = "no /bin/sh in the image"
    made.run(100)
    assert made.running == 2
    assert made.node.started_in_spares == 0
    assert made.said("no spare made")
    tries = [event for event in made.latest.events if "no spare made" in event.text]
    assert len(tries) == 2
