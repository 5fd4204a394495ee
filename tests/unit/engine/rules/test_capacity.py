"""Room for pilots: cores and memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.config import schema
from plancton.engine.model.action import Freeze, Spawn
from plancton.engine.model.node import CpuLoad, Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Frozen, State
from tests.unit.engine.rules.tables import (
    HOST,
    NOW,
    OLD,
    YOUNG,
    codes,
    frozen,
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
    assert len(run(replace(seen, host=HOST)).actions) == 2


STRICT = replace(policy(8), protect=schema.Protect(latency="strict"))


@pytest.mark.parametrize(
    ("foreground", "balanced", "strict"), [(0.4, 4, 4), (1.9, 2, 4), (2.1, 2, 3), (3.7, 0, 0)]
)
def test_strict_covers_all_cores_while_pilots_get_half_of_theirs(
    foreground: float, balanced: int, strict: int
) -> None:
    """With two of four cores in use, four pilots have half a core each."""
    seen = look(foreground=foreground)
    assert len(run(seen, policy(8)).actions) == balanced
    assert len(run(seen, STRICT).actions) == strict


def test_strict_promises_no_more_cores_than_there_are() -> None:
    """What covers all is enough."""
    four = [replace(OLD, id=f"p{i}", name=f"p{i}") for i in range(4)]
    assert codes(run(look(*four, foreground=0.2), STRICT)) == [Code.NO_ROOM]


@pytest.mark.parametrize(("foreground", "freezes"), [(2.5, 0), (2.7, 1), (3.4, 3)])
def test_strict_freezes_once_pilots_get_a_third_of_theirs(foreground: float, freezes: int) -> None:
    """And only as many as it takes."""
    four = [replace(OLD, id=f"p{i}", name=f"p{i}") for i in range(4)]
    state = State(overcommitted_since=NOW - 150)
    decision = run(look(*four, foreground=foreground), STRICT, state)
    assert len([a for a in decision.actions if isinstance(a, Freeze)]) == freezes


def test_strict_changes_nothing_without_the_idle_class() -> None:
    """There more pilots would slow the foreground."""
    low = replace(HOST, protection=Protection.LOW_WEIGHT)
    seen = look(foreground=1.9, host=low)
    assert len(run(seen, STRICT).actions) == len(run(seen, policy(8)).actions)


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
