"""Pilots end at their deadline, and are killed after their grace period."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.action import Outcome
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.engine.rules.tables import (
    NOW,
    OLD,
    codes,
    frozen,
    kinds,
    look,
    pilot,
    policy,
    pressed,
    run,
)


@pytest.mark.parametrize(
    ("left", "expected"), [(0.1, []), (0.0, ["Terminate a"]), (-9, ["Terminate a"])]
)
def test_ttl_ends_a_pilot_at_its_deadline(left: float, expected: list[str]) -> None:
    """SIGTERM at the deadline, not before."""
    seen = look(pilot("a", deadline_at=NOW + left), mode=Mode.DRAINING)
    assert kinds(run(seen)) == expected


def test_a_pilot_is_asked_once_and_killed_after_its_grace() -> None:
    """SIGTERM, then nothing, then SIGKILL, each with its sentence."""
    seen = look(pilot("a", deadline_at=NOW - 1), mode=Mode.DRAINING)
    first = run(seen)
    state = apply_outcome(first.state, Outcome(first.actions[0]), policy(), NOW)
    assert kinds(run(seen, state=state, now=NOW + 9)) == []
    assert Code.ENDING in codes(run(seen, state=state, now=NOW + 9))
    last = run(seen, state=state, now=NOW + 10)
    assert kinds(last) == ["Kill a"]
    assert "time to live is over" in str(last.actions[0].reason)


def test_a_failed_sigterm_is_sent_again() -> None:
    """An action that failed leaves no trace in the state."""
    seen = look(pilot("a", deadline_at=NOW - 1), mode=Mode.DRAINING)
    first = run(seen)
    state = apply_outcome(first.state, Outcome(first.actions[0], error="no"), policy(), NOW)
    assert kinds(run(seen, state=state)) == ["Terminate a"]


def test_the_ttl_of_a_frozen_pilot_runs_on() -> None:
    """It is asked to end, and thawed for that by the runtime."""
    assert kinds(run(pressed(replace(frozen(OLD), deadline_at=NOW)))) == ["Terminate old"]
