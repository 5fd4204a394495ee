"""Room for pilots: cores and memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plancton.config import schema
from plancton.engine.model.action import Spawn
from plancton.engine.model.node import CpuLoad, Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Frozen, State
from tests.unit.engine.rules.tables import (
    HOST,
    LOW_WEIGHT,
    NOW,
    OLD,
    YOUNG,
    codes,
    frozen,
    guarded,
    look,
    policy,
    pressed,
    run,
)


def test_a_short_look_is_enough_to_start() -> None:
    """Without the idle class it is not: there the worse of both looks counts."""
    calm = CpuLoad(4, 0.1, 0.0, 3.9, 1.0)
    assert len(run(pressed(recent=calm)).actions) == 4
    bare = replace(HOST, protection=Protection.WEIGHT_ONLY)
    assert codes(run(pressed(recent=calm, host=bare))) == [Code.NO_ROOM]


def test_without_the_idle_class_some_of_the_node_stays_free() -> None:
    """A core and a half must be free for a pilot of one core."""
    bare = replace(HOST, protection=Protection.WEIGHT_ONLY)
    seen = look(foreground=1.9, host=bare)
    assert len(run(seen).actions) == 1
    assert len(run(replace(seen, host=HOST), guarded(latency="off")).actions) == 2


def covering(latency: str, **spawn: Any) -> Policy:
    """Return a policy of this mode that allows more pilots than there are cores."""
    return replace(policy(8, per_tick=8, **spawn), protect=schema.Protect(latency=latency))


@pytest.mark.parametrize(
    ("foreground", "off", "balanced", "strict"),
    [
        (0.4, 4, 4, 4),
        (1.9, 2, 4, 4),
        (3.3, 1, 4, 4),
        (3.5, 1, 3, 4),
        (3.75, 0, 1, 4),
        (3.96, 0, 0, 0),
    ],
)
def test_cores_are_covered_while_pilots_get_a_part_of_theirs(
    foreground: float, off: int, balanced: int, strict: int
) -> None:
    """15 or 5 % of them: with 3.3 of 4 cores in use, four pilots have 0.7 together."""
    seen = look(foreground=foreground)
    starts = [len(run(seen, covering(m)).actions) for m in ("off", "balanced", "strict")]
    assert starts == [off, balanced, strict]


def test_no_more_cores_are_promised_than_there_are() -> None:
    """What covers all is enough."""
    four = [replace(OLD, id=f"p{i}", name=f"p{i}") for i in range(4)]
    assert codes(run(look(*four, foreground=0.2), covering("strict"))) == [Code.NO_ROOM]


@pytest.mark.parametrize("spawn", [{"reserve": 1}, {"ceiling": 0.75}])
def test_cores_that_are_not_lent_are_not_covered(spawn: dict[str, float]) -> None:
    """They stay free of pilots."""
    assert len(run(look(foreground=1.9), covering("balanced", **spawn)).actions) == 3


def test_without_the_idle_class_more_pilots_would_slow_the_foreground() -> None:
    """There only room counts."""
    seen = look(foreground=1.9, host=LOW_WEIGHT)
    starts = [len(run(seen, covering(m)).actions) for m in ("off", "balanced", "strict")]
    assert starts == [2, 2, 2]


@pytest.mark.parametrize(
    ("available", "own", "promise", "starts"),
    [(60e9, 0, 1.0, 4), (10e9, 0, 1.0, 1), (8e9, 0, 1.0, 0), (8e9, 0, 0.0, 4), (6e9, 0, 0.0, 0)],
)
def test_pilots_start_only_with_memory_for_them(
    available: float, own: int, promise: float, starts: int
) -> None:
    """2 GB each, and 10 % of 64 GB stay free; without promises only what is free counts."""
    host = replace(HOST, memory_available=int(available), own_memory=own)
    decision = run(look(host=host), policy(4, memory_promise=promise))
    assert len(decision.actions) == starts
    assert (Code.NO_MEMORY in codes(decision)) is (starts < 4)


def test_where_pilots_memory_cannot_be_read_they_are_taken_to_use_what_was_promised() -> None:
    """So that what is available is not counted twice."""
    one = replace(OLD, memory=2 * 10**9)
    host = replace(HOST, memory_available=8_500_000_000, own_memory=None)
    assert len(run(look(one, host=host)).actions) == 1


def test_memory_promised_but_not_used_yet_counts_frozen_pilots_too() -> None:
    """Two pilots of 2 GB that use 1 GB each leave 3 GB of 12 less 2 GB."""
    pilots = [replace(OLD, memory=2 * 10**9), frozen(replace(YOUNG, memory=2 * 10**9))]
    host = replace(HOST, memory_available=10_300_000_000, own_memory=2 * 10**9)
    room = look(*pilots, host=host, mode=Mode.ACTIVE)
    state = State(frozen={"young": Frozen(Reason.of(Code.PRESSURE), NOW)})
    decision = run(replace(room, pilots=(pilots[0],)), policy(4), state)
    assert sum(isinstance(a, Spawn) for a in decision.actions) == 1
