"""A pilot may write so much to disk and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.pilot import Pilot, PilotState, Written
from plancton.engine.model.reason import Code
from plancton.engine.model.state import State
from tests.unit.engine.rules.tables import NOW, OLD, carry_out, codes, kinds, look, policy, run

GB = 10**9


def writer(size: float, disk: int = 10 * GB, **fields: object) -> Pilot:
    """Return a pilot that wrote so much."""
    return replace(OLD, disk=disk, written=Written(int(size)), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pilot", "acts"),
    [
        (writer(10 * GB), []),
        (writer(10 * GB + 1), ["Terminate old"]),
        (writer(15 * GB + 1), ["Kill old"]),
        (writer(99 * GB, disk=0), []),
        (replace(OLD, disk=GB), []),
        (writer(11 * GB, state=PilotState.PAUSED), ["Terminate old"]),
    ],
)
def test_the_bound(pilot: Pilot, acts: list[str]) -> None:
    """SIGTERM beyond it, SIGKILL far beyond it; without a bound, or a measure, nothing."""
    decision = run(look(pilot), policy(1))
    assert kinds(decision) == acts
    if acts == ["Terminate old"]:
        assert str(decision.actions[0].reason).startswith("it wrote 1")


def test_it_is_killed_when_it_writes_on_in_its_grace() -> None:
    """A long grace is no licence, and SIGKILL is sent once."""
    patient = writer(11 * GB, grace=600.0)
    asked = run(look(patient), policy(1))
    state = carry_out(asked, policy(1), NOW)
    assert kinds(run(look(patient), policy(1), state, NOW + 5)) == []
    worse = replace(patient, written=Written(16 * GB))
    killed = run(look(worse), policy(1), state, NOW + 5)
    assert kinds(killed) == ["Kill old"]
    state = carry_out(killed, policy(1), NOW + 5)
    assert kinds(run(look(worse), policy(1), state, NOW + 6)) == []


def test_its_profile_backs_off() -> None:
    """It is a failure of the pilot's own making, and says which."""
    asked = run(look(writer(11 * GB)), policy(1))
    state = carry_out(asked, policy(1), NOW)
    ended = writer(
        11 * GB, state=PilotState.EXITED, started_at=NOW - 100, finished_at=NOW + 1, exit_code=143
    )
    reaped = run(look(ended), policy(1), state, NOW + 1)
    assert kinds(reaped) == ["Remove old"]
    after = run(look(), policy(1), carry_out(reaped, policy(1), NOW + 1), NOW + 2)
    assert codes(after) == [Code.BACKOFF]
    assert "plancton-old: it wrote 11 GB to disk, more than its 10 GB" in str(after.findings[0])
    assert run(look(ended), policy(1), State(), NOW + 1).state.backoffs == {}
