"""Pilots have numbered places."""

from __future__ import annotations

from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.records.slots import Slots


def _pilot(id_: str, profile: str = "a", at: float = 0.0) -> Pilot:
    return Pilot(id_, id_, profile, PilotState.RUNNING, 1.0, at)


def test_each_new_pilot_takes_the_lowest_free_place() -> None:
    """And inherits how often it was taken, and why the last one left it."""
    slots = Slots()
    slots.see([_pilot("x", at=1), _pilot("y", at=2), _pilot("z", "b", at=3)])
    assert [slots.of(id_).number for id_ in "xyz"] == [1, 2, 1]
    slots.end("x", "exit code 1")
    slots.see([_pilot("y", at=2), _pilot("z", "b", at=3)])
    slots.see([_pilot("y", at=2), _pilot("new", at=4)])
    assert slots.of("new") == type(slots.of("new"))(1, 1, "exit code 1")
    slots.see([_pilot("new", at=4), _pilot("later", "b", at=5)])
    assert slots.of("later").last_exit == "removed by somebody else"
    assert slots.of("y").number == 0
