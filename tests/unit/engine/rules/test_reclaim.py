"""Frozen pilots give their memory back while the owner is short of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Ending, Frozen, State
from tests.unit.engine.rules.tables import HOST, NOW, OLD, YOUNG, frozen, guarded, kinds, look, run

SWAP: dict[str, Any] = {"swap_total": 8 * 10**9, "swap_free": 8 * 10**9}


@pytest.mark.parametrize(
    ("available", "swap", "memory", "wanted"),
    [
        (20e9, SWAP, {}, ("old", "young")),
        (40e9, SWAP, {}, ()),
        (40e9, SWAP, {"reclaim_below": "100%"}, ("old", "young")),
        (20e9, SWAP, {"reclaim_below": "off"}, ()),
        (20e9, {}, {}, ()),
        (20e9, {**SWAP, "swap_free": 10**9}, {}, ()),
    ],
)
def test_when_memory_is_taken_back(
    available: float, swap: dict[str, Any], memory: dict[str, Any], wanted: tuple[str, ...]
) -> None:
    """While less than reclaim_below is available, and the owner keeps a quarter of the swap."""
    host = replace(HOST, memory_available=int(available), **swap)
    since = {"old": Frozen(Reason.of(Code.PRESSURE), NOW - 9)}
    state = State(frozen={**since, "young": Frozen(Reason.of(Code.PRESSURE), NOW - 5)})
    seen = look(frozen(YOUNG), frozen(OLD), foreground=4.0, host=host)
    assert run(seen, guarded(memory=memory), state).reclaim == wanted


def test_neither_of_those_that_run_nor_of_those_that_end() -> None:
    """A pilot asked to end has been thawed for it."""
    host = replace(HOST, memory_available=20 * 10**9, **SWAP)
    state = State(endings={"young": Ending(Reason.of(Code.TTL), NOW + 9)})
    assert run(look(OLD, frozen(YOUNG), foreground=4.0, host=host), state=state).reclaim == ()


def test_what_is_thawed_is_left_alone() -> None:
    """In the same tick already."""
    host = replace(HOST, memory_available=20 * 10**9, **SWAP)
    state = State(frozen={"old": Frozen(Reason.of(Code.PRESSURE), NOW - 9)}, room_since=NOW - 9)
    decision = run(look(frozen(OLD), host=host), state=state)
    assert kinds(decision)[0] == "Thaw old"
    assert decision.reclaim == ()
