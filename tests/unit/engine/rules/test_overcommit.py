"""How many times the free cores are promised to pilots."""

from __future__ import annotations

import pytest

from plancton.engine.model.node import Protection
from plancton.engine.model.reason import Code
from tests.unit.engine.rules.steady import Loop
from tests.unit.engine.rules.tables import codes, guarded, look, policy, run


def minutes(loop: Loop, count: int, foreground: float = 0.0) -> int:
    """Let minutes pass; returns how many pilots there are then."""
    for _ in range(12 * count):
        loop.tick(foreground)
    return len(loop.pilots)


@pytest.mark.parametrize(("use", "pilots"), [(1.0, 8), (0.98, 8), (0.8, 10), (0.6, 13), (0.2, 24)])
def test_what_pilots_leave_idle_is_promised_again(use: float, pilots: int) -> None:
    """Until they use what is there, or three times the cores are promised."""
    loop = Loop(policy(99), Protection.IDLE, use=use)
    assert minutes(loop, 20) == pytest.approx(pilots, abs=1)


def test_pilots_that_begin_to_compute_are_not_replaced_and_not_ended() -> None:
    """Less is promised, little by little."""
    loop = Loop(policy(99), Protection.IDLE, use=0.5)
    many = minutes(loop, 20)
    assert many >= 15
    loop.use = 1.0
    assert minutes(loop, 20) == many
    assert loop.state.overcommit.factor == 1
    assert loop.evicted == 0
    loop.pilots = loop.pilots[:8]
    assert minutes(loop, 5) == 8


@pytest.mark.parametrize("protection", [Protection.LOW_WEIGHT, Protection.WEIGHT_ONLY])
def test_without_the_idle_class_cores_are_promised_once(protection: Protection) -> None:
    """More pilots would slow the foreground."""
    loop = Loop(policy(99), protection, use=0.3)
    assert minutes(loop, 20) <= 8
    assert loop.state.overcommit.factor == 1


def test_what_is_idle_for_another_reason_says_nothing_of_pilots() -> None:
    """A maximum keeps cores idle; once it is lifted there is no rush."""
    loop = Loop(policy(2), Protection.IDLE)
    minutes(loop, 20)
    assert loop.state.overcommit.factor == 1


@pytest.mark.parametrize(("foreground", "use"), [(7.7, 1.0), (7.99, 0.5), (5.4, 1.0)])
def test_what_is_too_little_for_a_pilot_says_nothing_of_pilots(
    foreground: float, use: float
) -> None:
    """Once the foreground has gone, cores are promised once."""
    loop = Loop(guarded(latency="off"), Protection.IDLE, use=use)
    minutes(loop, 20, foreground)
    assert loop.state.overcommit.factor == 1


@pytest.mark.parametrize(("wanted", "starts"), [("off", 4), (1.5, 6), (2, 8)])
def test_a_factor_of_the_administrators(wanted: str | float, starts: int) -> None:
    """It needs no learning."""
    decision = run(look(), policy(99, per_tick=99, overcommit=wanted))
    assert len(decision.actions) == starts
    says = str(decision.findings[0])
    assert ("times what is free may be" in says) is (wanted != "off")
    assert codes(decision) == [Code.NO_ROOM]


def test_starved_is_who_gets_less_than_a_tenth_of_what_pilots_use() -> None:
    """Promised twice, four pilots on two cores are as well off as two."""
    loop = Loop(guarded(starved=0.2), Protection.IDLE, ncpus=4, use=0.5)
    assert minutes(loop, 20) == 4
    assert minutes(loop, 10, foreground=3.0) == 4
    assert not any(pilot.frozen for pilot in loop.pilots)
