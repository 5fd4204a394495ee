"""No exception of a tick ends the service, and pilots still end in time."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.engine.loop import Engine
from plancton.engine.model.action import Decision
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.rules.decide import decide
from tests.scenario.rig import Rig


class Broken:
    """The rules, with a bug that can be switched on."""

    def __init__(self) -> None:
        """Start well."""
        self.error: Exception | None = None

    def __call__(self, *known: Any) -> Decision:
        """Decide, or fail."""
        if self.error is not None:
            raise self.error
        return decide(*known)


@pytest.fixture
def rules() -> Broken:
    """Return rules that can be broken."""
    return Broken()


@pytest.fixture
def rig(rules: Broken) -> Rig:
    """Return two pilots of a minute, under rules that can be broken."""
    rig = Rig(2, pilots=[{"ttl": 60}])
    rig.node.lifetime = lambda _: 10_000.0
    rig.engine.rule = rules
    rig.run(10)
    assert rig.running == 2
    return rig


@pytest.mark.parametrize("error", [OverflowError("int too large"), RecursionError(), KeyError("x")])
def test_a_bug_is_said_and_passes(rig: Rig, rules: Broken, error: Exception) -> None:
    """As a warning while it lasts; then everything goes on."""
    rules.error = error
    rig.run(20)
    assert any(type(error).__name__ in warning for warning in rig.latest.warnings)
    assert rig.latest.errors > 0
    rules.error = None
    rig.run(40)
    assert not any("bug" in warning for warning in rig.latest.warnings)
    assert rig.said("ticks go well again")
    assert rig.running == 2


def test_pilots_end_in_time_all_the_same(rig: Rig, rules: Broken) -> None:
    """Times to live are held, and SIGKILL follows; nothing is started meanwhile."""
    rig.node.ignores_term = True
    rules.error = OverflowError("int too large")
    rig.run(100)
    assert rig.running == 0
    assert rig.node.started == 2


def test_the_operator_is_obeyed_all_the_same(rig: Rig, rules: Broken) -> None:
    """A single kill, and force-stop."""
    rules.error = ValueError("x")
    rig.engine.command_pilot(rig.latest.pilots[0].id, PilotCommand.KILL)
    rig.engine.turn(0)
    assert rig.running == 1
    rig.word.value = Mode.FORCED
    rig.run(40)
    assert rig.running == 0
    assert rig.engine.finished  # though ended ones are still to be removed, by a rule that fails
    assert rig.said("no pilot runs, the engine ends as asked; the next start removes what is left")
    assert rig.word.value is Mode.ACTIVE  # else the next start would end at once


@pytest.mark.parametrize("mode", [Mode.STOPPING, Mode.ENDING, Mode.FORCED])
def test_the_engine_ends_as_asked_all_the_same(rig: Rig, rules: Broken, mode: Mode) -> None:
    """With the last pilot, by whatever that ends: its time to live, SIGTERM or SIGKILL."""
    rules.error = ValueError("x")
    rig.engine.request_mode(mode)
    rig.run(200)
    assert rig.running == 0
    assert rig.engine.finished


@pytest.mark.parametrize("broken", ["sample", "protection_note"])
def test_the_engine_ends_as_asked_on_a_node_that_cannot_be_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Nor can a snapshot be made, be it of the last tick."""

    def fail(*_: object) -> None:
        raise TypeError("no")

    monkeypatch.setattr(
        type(rig.node), broken, fail if broken == "sample" else property(fail), raising=True
    )
    rig.word.value = Mode.FORCED
    rig.run(60)
    assert rig.running == 0
    assert rig.engine.finished
    assert rig.word.value is Mode.ACTIVE


def test_stop_ends_at_once_whatever_fails(rig: Rig, rules: Broken) -> None:
    """Pilots stay, as after any stop."""
    rules.error = ValueError("x")
    rig.engine.turn(0)
    rig.engine.quit()
    assert rig.engine.turn(0) is None
    assert rig.running == 2


def test_what_never_worked_makes_way_for_what_did(rig: Rig, rules: Broken) -> None:
    """A configuration under which the first tick fails is not the last good one."""
    rig.settings.set(pilots=[{"ttl": 60}], spawn={"maximum": 1})
    rules.error = OverflowError("int too large")
    rig.engine.step()
    rules.error = None
    rig.run(30)
    assert rig.running == 2  # and not the new maximum
    assert "a tick failed under it: OverflowError" in rig.latest.config_error


def test_what_worked_once_stays(rig: Rig, rules: Broken) -> None:
    """A bug that comes later is not put down to the configuration."""
    rules.error = OverflowError("int too large")
    rig.run(30)
    assert rig.latest.config_error == ""
    assert rig.settings.rejected


def test_a_snapshot_that_cannot_be_made_ends_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next tick tries again."""

    def fail(*_: object) -> None:
        raise TypeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(type(rig.engine.builder), "snapshot", fail)
        assert rig.engine.turn(0) is not None
        assert isinstance(rig.engine, Engine)
    rig.run(30)
    assert rig.running == 2
