"""Who is ended first, and one at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.pilot import Pilot
from tests.unit.engine.rules.tables import (
    HOST,
    NOW,
    OLD,
    YOUNG,
    carry_out,
    frozen,
    guarded,
    kinds,
    look,
    policy,
    run,
)


@pytest.mark.parametrize(
    ("victim", "pilots", "first"),
    [
        ("youngest", [OLD, YOUNG], "young"),
        ("youngest", [replace(OLD, checkpoint_at=NOW - 5), YOUNG], "old"),
        ("youngest", [replace(OLD, checkpoint_at=NOW - 61), YOUNG], "young"),
        ("least-lost", [replace(OLD, cpu_seconds=5), replace(YOUNG, cpu_seconds=9)], "old"),
        ("least-lost", [replace(OLD, cpu_seconds=90), replace(YOUNG, cpu_seconds=9)], "young"),
        (
            "least-lost",
            [replace(OLD, cpu_seconds=90, checkpoint_at=NOW - 70, started_at=NOW - 1000),
             replace(YOUNG, cpu_seconds=9)],
            "old",
        ),
        ("youngest", [frozen(OLD), YOUNG], "old"),
    ],
)  # fmt: skip
def test_the_victim(victim: str, pilots: list[Pilot], first: str) -> None:
    """Frozen before just saved before the configured order."""
    host = replace(HOST, memory_available=10**9)
    rules = guarded(victim=victim, memory={"after": 0})
    assert kinds(run(look(*pilots, host=host), rules))[0] == f"Terminate {first}"


def test_short_memory_ends_one_pilot_at_a_time() -> None:
    """After 5 s, and the next one only after the first has gone and 5 s more."""
    host = replace(HOST, memory_available=10**9)
    seen = look(OLD, YOUNG, host=host)
    first = run(seen)
    assert kinds(first) == []
    second = run(seen, state=first.state, now=NOW + 5)
    assert kinds(second) == ["Terminate young"]
    state = carry_out(second, policy(), NOW + 5)
    assert kinds(run(seen, state=state, now=NOW + 14)) == []
    alone = look(OLD, host=host)
    left = run(alone, state=state, now=NOW + 8)
    assert kinds(left) == []
    assert kinds(run(alone, state=left.state, now=NOW + 10)) == ["Terminate old"]
