"""Profiles that fail wait: how long, and until when."""

from __future__ import annotations

import pytest

from plancton.config import schema
from plancton.engine.model.action import Outcome, Spawn
from plancton.engine.model.node import ImageStatus
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Ending, FailureKind, State
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.engine.rules.tables import (
    NOW,
    PROFILE,
    codes,
    exited,
    exited_with,
    kinds,
    look,
    pilot,
    policy,
    run,
)


def test_early_exits_back_off_exponentially_and_probe_with_one() -> None:
    """Waits 5, 10, 20 ... seconds, one probe at a time, reset by a pilot that lives."""
    state, now, waits = State(), NOW, []
    for i in range(9):
        failed = run(look(exited(f"x{i}", 1.0, now)), state=state, now=now)
        assert not any(isinstance(a, Spawn) for a in failed.actions)
        state = failed.state
        waits.append(state.backoffs["default"].until - now)
        now = state.backoffs["default"].until
        probe = run(look(), state=state, now=now)
        assert kinds(probe) == ["Spawn"]
        assert Code.PROBING in codes(probe)
        now += 1.0
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900]
    alive = pilot("y", created_at=now, started_at=now)
    assert kinds(run(look(alive), state=state, now=now + 4.9)) == []
    healed = run(look(alive), state=state, now=now + 5.0)
    assert healed.state.backoffs == {}
    assert kinds(healed) == ["Spawn"] * 3


def test_a_batch_that_fails_together_is_one_failure() -> None:
    """Four pilots started together and dead together wait 5 s, not 40."""
    decision = run(look(*(exited(f"x{i}", 1.0) for i in range(4))))
    assert decision.state.backoffs["default"].failures == 1


def test_an_end_is_counted_once_while_removal_fails() -> None:
    """An exited pilot that cannot be removed does not fail its profile again and again."""
    one = exited("x", 1.0)
    first = run(look(one))
    again = run(look(one), state=first.state, now=NOW + 900)
    assert again.state.backoffs["default"].failures == 1
    assert "Remove x" in kinds(again)


@pytest.mark.parametrize("code", [Code.TTL, Code.PRESSURE, Code.OPERATOR])
def test_pilots_that_we_ended_early_are_no_failures(code: Code) -> None:
    """Only an exit of its own counts against a profile."""
    state = State(endings={"x": Ending(Reason.of(code), NOW + 5)})
    decision = run(look(exited("x", 1.0), mode=Mode.DRAINING), state=state)
    assert decision.state.backoffs == {}


def test_a_failed_start_backs_off_with_dockers_word() -> None:
    """The reason shows what Docker said."""
    refused = Outcome(Spawn(PROFILE, Reason.of(Code.ROOM)), error="no space")
    state = apply_outcome(State(), refused, policy(), NOW)
    decision = run(look(), state=state, now=NOW + 1)
    assert "no space" in str(decision.findings[0])
    assert kinds(decision) == []


@pytest.mark.parametrize(
    ("code", "kind", "wait"),
    [
        (80, FailureKind.NO_WORK, 60.0),
        (81, FailureKind.BROKEN, 3600.0),
        (82, FailureKind.OUTDATED, 900.0),
        (0, None, 0.0),
        (1, None, 0.0),
    ],
)
def test_exit_codes_say_what_to_wait_for(code: int, kind: FailureKind | None, wait: float) -> None:
    """However long the pilot lived; other codes mean nothing after a long life."""
    decision = run(look(exited_with(code), mode=Mode.DRAINING))
    backoff = decision.state.backoffs.get("default")
    assert (backoff.kind if backoff else None) is kind
    assert (backoff.until - NOW if backoff else 0.0) == wait
    assert decision.refresh == ({"busybox:latest"} if kind is FailureKind.OUTDATED else frozenset())


def test_an_outdated_image_is_waited_for_until_a_new_one_is_there() -> None:
    """Not longer: the wait ends with the new image."""
    old = {PROFILE.image: ImageStatus(id="sha256:old")}
    state = run(look(exited_with(82), images=old)).state
    assert codes(run(look(images=old), state=state, now=NOW + 1)) == [Code.BACKOFF]
    new = {PROFILE.image: ImageStatus(id="sha256:new")}
    assert len(run(look(images=new), state=state, now=NOW + 1).actions) == 4


def test_after_no_work_one_pilot_tries_until_it_has_lived_as_long_as_the_wait() -> None:
    """Then the others follow."""
    state = run(look(exited_with(80))).state
    assert len(run(look(), state=state, now=NOW + 60).actions) == 1
    probe = pilot("p", created_at=NOW + 60, started_at=NOW + 60)
    assert codes(run(look(probe), state=state, now=NOW + 119)) == [Code.PROBING]
    assert len(run(look(probe), state=state, now=NOW + 120).actions) == 3


def test_profiles_back_off_by_their_own_settings() -> None:
    """A first wait and a short life of their own."""
    own = schema.Profile(backoff=40.0, short_life=200.0)
    decision = run(look(exited_with(1)), policy(4, own))
    assert decision.state.backoffs["default"].until == NOW + 40
