"""Simulations: the same decisions, other time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.config.schema import Config
from plancton.engine.model.node import Protection
from plancton.simulation.simulator import Assumptions, Simulation
from plancton.simulation.trace import SYNTHETIC, Trace, TracePoint, synthetic_trace

HOUR = Trace("hour", 4, 16e9, (TracePoint(0, 1.0), TracePoint(3600, 1.0)))
LONG = Assumptions(life=1e9, start_delay=0, start_cost=0)


def test_a_constant_owner_leaves_three_of_four_cores() -> None:
    """The result is what arithmetic says: 3 of 4 cores but for the first seconds."""
    result = Simulation(Config(), HOUR, assumptions=LONG).run(columns=60)
    assert result.foreground_wanted == result.foreground_got == pytest.approx(3600)
    assert result.share == pytest.approx(1.0, abs=0.005)
    assert result.slowdown == 1.0
    assert result.account.started == 4  # one a core, each with three quarters of it
    assert [c.foreground for c in result.columns] == pytest.approx([1.0] * 60, abs=0.1)
    assert result.columns[-1].own == pytest.approx(3.0, abs=0.3)


def test_without_protection_the_owner_pays() -> None:
    """Until pilots are frozen, and only until then."""
    points = (TracePoint(0, 0.0), TracePoint(600, 4.0), TracePoint(660, 0.0), TracePoint(1200, 0.0))
    trace = Trace("burst", 4, 16e9, points)
    bare = replace(LONG, protection=Protection.WEIGHT_ONLY)
    result = Simulation(Config(), trace, assumptions=bare).run()
    assert 1.01 < result.slowdown < 1.1
    assert result.account.frozen == 3
    assert result.account.reaction_max < 5
    assert Simulation(Config(), trace, assumptions=LONG).run().slowdown == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", SYNTHETIC)
def test_no_synthetic_trace_slows_the_owner(name: str) -> None:
    """In the idle class, and what is idle is harvested."""
    assumptions = Assumptions(tick=30.0) if name == "day" else None  # the other traces are short
    result = Simulation(
        Config(), synthetic_trace(name, 4), name=name, assumptions=assumptions
    ).run()
    assert result.slowdown == 1.0
    assert result.share is None or result.share > 0.3


def test_the_same_seed_gives_the_same_day() -> None:
    """Results can be compared."""
    lives = (Assumptions(life=300.0, seed=seed) for seed in (1, 1, 2))
    first, again, other = (
        Simulation(Config(), HOUR, assumptions=each).run().account for each in lives
    )
    assert first == again != other


def test_an_objective_is_replayed_from_the_trace() -> None:
    """Its figure is a column; the command is not run."""
    levels = ((0, 10.0), (600, 41.0), (900, 10.0), (1800, 10.0))
    points = tuple(TracePoint(at, 0.0, figures={"p99": value}) for at, value in levels)
    slo = {"name": "p99", "command": ["/bin/false"], "limit": 25}
    watched = Config.model_validate({"protect": {"slo": [slo]}})
    trace, given = Trace("t", 4, 16e9, points), Assumptions(exact_life=True, life=7200)
    plain = Simulation(Config(), trace, assumptions=given).run()
    guarded = Simulation(watched, trace, assumptions=given).run()
    assert plain.account.frozen == 0
    assert guarded.account.frozen == 4
    # One each 20 s; a minute after the violation one goes on, and one each minute.
    assert plain.account.harvested - guarded.account.harvested == pytest.approx(1620, rel=0.05)


WAITING = Assumptions(efficiency=0.6)
SMALL = Config.model_validate({"pilots": [{"memory": "64MB"}]})


def test_overcommit_harvests_what_waiting_pilots_leave() -> None:
    """More run than there are cores; without it two pilots use 60 % of two cores."""
    trace = synthetic_trace("idle", 2)
    once = Config.model_validate({"spawn": {"overcommit": "off"}})
    auto = Simulation(SMALL, trace, assumptions=WAITING).run()
    off = Simulation(once, trace, assumptions=WAITING).run()
    assert auto.share is not None
    assert auto.share >= 0.95
    assert off.share == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize(("life", "share"), [(60.0, 0.93), (10.0, 0.88)])
def test_short_lives_hide_nothing_from_overcommit(life: float, share: float) -> None:
    """That one has just ended each time that the engine looks is no reason to promise less.

    The hour begins with minutes in which it learns.
    """
    short = Config.model_validate({"pilots": [{"memory": "64MB"}], "spawn": {"short_life": 0}})
    trace = Trace("hour", 2, 16e9, (TracePoint(0, 0.0), TracePoint(3600, 0.0)))
    found = Simulation(short, trace, assumptions=replace(WAITING, life=life)).run()
    assert found.share is not None
    assert found.share >= share


def test_the_same_seed_gives_the_same_bursts() -> None:
    """Results can be compared here too."""
    trace = Trace("minutes", 2, 16e9, (TracePoint(0, 0.5), TracePoint(300, 0.5)))
    given = (replace(WAITING, seed=seed) for seed in (1, 1, 2))
    first, again, other = (Simulation(SMALL, trace, assumptions=each).run() for each in given)
    assert first.account == again.account != other.account


def test_pilots_that_wait_slow_an_unprotected_owner_less() -> None:
    """He pays only while they compute."""
    points = (TracePoint(0, 0.0), TracePoint(100, 4.0), TracePoint(110, 0.0), TracePoint(200, 0.0))
    trace = Trace("burst", 4, 16e9, points)
    bare = replace(LONG, protection=Protection.WEIGHT_ONLY)
    always = Simulation(SMALL, trace, assumptions=bare).run()
    waiting = Simulation(SMALL, trace, assumptions=replace(bare, efficiency=0.3)).run()
    assert 1 < waiting.slowdown < always.slowdown
