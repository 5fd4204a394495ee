"""Pilots that may use idle cores beyond their promise, on a simulated node and clock."""

from __future__ import annotations

from math import inf

import pytest

from plancton.engine.model.node import Protection
from tests.scenario.rig import Rig

MORE = {"name": "a", "image": "busybox", "cpus": 1, "cpu_limit": "none", "ttl": "2h"}


def rig_of(ncpus: int = 8, maximum: int = 2, **pilot: object) -> Rig:
    """Return a node with pilots that go on, at most so many, after a minute."""
    rig = Rig(ncpus, pilots=[{**MORE, **pilot}], spawn={"maximum": maximum})
    rig.node.lifetime = lambda _: 50_000.0
    rig.run(60)
    return rig


def held(rig: Rig) -> list[float | None]:
    """Return the cores that the pilots are held to, oldest first."""
    return [pilot.held_to for pilot in rig.node.running()]


@pytest.mark.parametrize(
    ("limit", "used"), [("promised", 2.0), ("none", 8.0), (2, 4.0), (100, 8.0)]
)
def test_two_pilots_use_what_they_may_of_eight_idle_cores(limit: object, used: float) -> None:
    """The owner's part is not taken for more or less than it is, and nothing is frozen."""
    rig = rig_of(cpu_limit=limit)
    rig.node.foreground = 0.5
    rig.run(120)
    load = rig.latest.load
    assert load is not None
    assert load.own == pytest.approx(min(used, 7.5))
    assert load.foreground == pytest.approx(0.5)
    assert (rig.running, rig.latest.committed, rig.latest.frozen) == (2, 2.0, 0)
    assert rig.node.foreground_got == rig.node.foreground_wanted


def test_the_owner_takes_back_what_was_lent() -> None:
    """At once, by the idle class; and the ladder counts what was promised, as ever."""
    rig = rig_of(4, 2)
    rig.node.foreground = 2.0
    rig.run(300)
    assert (rig.running, rig.latest.frozen) == (2, 0)
    rig.node.foreground = 4.0
    rig.run(30)
    assert rig.node.foreground_got == rig.node.foreground_wanted
    rig.run(300)
    assert rig.running == 0
    assert rig.latest.frozen == 2


def test_what_was_promised_to_others_is_not_taken() -> None:
    """A pilot of three cores beside one without a limit: each has what it was promised."""
    rig = Rig(4, pilots=[{**MORE, "maximum": 1}, {**MORE, "name": "b", "cpus": 3, "maximum": 1}])
    rig.node.lifetime = lambda _: 50_000.0
    rig.run(120)
    used = {pilot.profile: pilot.cpu for pilot in rig.latest.pilots}
    assert used == {"a": pytest.approx(1.0), "b": pytest.approx(3.0)}


def test_without_the_idle_class_each_is_held_to_its_promise() -> None:
    """From the next tick on, and back; each change is said once, and costs one request a pilot."""
    rig = rig_of()
    assert held(rig) == [inf, inf]
    assert not [action for action in rig.node.actions if action.startswith("hold")]
    for protection, cores, text in (
        (Protection.WEIGHT_ONLY, 1.0, "held to the cores promised to them: they are not in the"),
        (Protection.IDLE, inf, "pilots may use idle cores beyond those promised to them"),
    ):
        rig.node.protection = protection
        rig.engine.step()
        assert held(rig) == [cores, cores]
        assert sum(text in event.text for event in rig.latest.events) == 1
        rig.run(60)
        assert held(rig) == [cores, cores]
        assert sum(text in event.text for event in rig.latest.events) == 1
    assert len([action for action in rig.node.actions if action.startswith("hold")]) == 4


def test_a_pilot_that_starts_without_the_idle_class_has_its_promise() -> None:
    """And no request more is made."""
    rig = Rig(8, pilots=[MORE], spawn={"maximum": 1})
    rig.node.protection = Protection.LOW_WEIGHT
    rig.run(60)
    assert held(rig) == [1.0]
    assert not rig.node.actions


@pytest.mark.parametrize("spawn", [{"reserve": 1}, {"ceiling": 0.5}])
def test_cores_that_are_to_stay_free_stay_free(spawn: dict[str, float]) -> None:
    """Whatever a profile says, as soon as the configuration does."""
    rig = rig_of()
    rig.settings.set(pilots=[MORE], spawn={"maximum": 2, **spawn})
    rig.run(60)
    assert held(rig) == [1.0, 1.0]
    assert rig.latest.load is not None
    assert rig.latest.load.own == pytest.approx(2.0)


def test_a_pilot_keeps_what_it_was_started_with() -> None:
    """Whatever the configuration says later, after a crash, too."""
    rig = rig_of()
    rig.settings.set(pilots=[{**MORE, "cpu_limit": "promised"}], spawn={"maximum": 3})
    rig.engine = rig.new_engine()
    rig.run(60)
    assert held(rig) == [inf, inf, 1.0]
    rig.node.protection = Protection.WEIGHT_ONLY
    rig.run(2)
    assert held(rig) == [1.0] * len(held(rig))


def test_an_engine_that_changes_nothing_is_not_asked_at_each_tick() -> None:
    """It is said once for each try; the ladder protects the owner meanwhile."""
    rig = rig_of()
    rig.node.cannot_hold = "no updates here"
    rig.node.protection = Protection.WEIGHT_ONLY
    rig.run(600)
    said = [e for e in rig.latest.events if "cannot be changed" in e.text]
    assert 1 <= len(said) <= 6
    assert said[0].level == "WARNING"
    assert "cpu_limit: no updates here" in rig.latest.warnings
    rig.node.foreground = 8.0
    rig.run(60)
    assert rig.running == 0
    rig.node.foreground = 0.0
    rig.node.cannot_hold = ""
    rig.node.protection = Protection.IDLE
    rig.run(600)
    assert held(rig) == [inf, inf]
    assert "cpu_limit: no updates here" not in rig.latest.warnings
