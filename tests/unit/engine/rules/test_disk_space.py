"""Docker's disk runs full: the pilot that wrote most goes first, and only if that helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plancton.engine.model.action import Outcome
from plancton.engine.model.pilot import Pilot, Written
from plancton.engine.model.reason import Code
from plancton.engine.records.accounting import account_of
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.engine.rules.tables import (
    HOST,
    NOW,
    OLD,
    YOUNG,
    carry_out,
    codes,
    exited,
    frozen,
    guarded,
    kinds,
    look,
    policy,
    run,
)

GB = 10**9
LOW = replace(HOST, disk_free=900 * 10**6)
AT_ONCE = guarded(disk={"after": 0})


def wrote(pilot: Pilot, size: float, files: int | None = 0) -> Pilot:
    """Return the pilot after it has written."""
    return replace(pilot, written=Written(int(size), files))


@pytest.mark.parametrize(
    ("pilots", "first"),
    [
        ([wrote(OLD, 3 * GB), wrote(YOUNG, 2 * GB)], ["Terminate old"]),
        ([wrote(OLD, 2 * GB), wrote(YOUNG, 3 * GB)], ["Terminate young"]),
        ([wrote(OLD, 3 * GB), frozen(wrote(YOUNG, 2 * GB))], ["Terminate old"]),
        ([wrote(OLD, 3 * GB), YOUNG], ["Terminate old"]),
        ([OLD, YOUNG], ["Terminate young"]),
        ([wrote(OLD, 100_000), wrote(YOUNG, 0)], []),
    ],
)
def test_who_goes_first(pilots: list[Pilot], first: list[str]) -> None:
    """Who wrote most, then those of which nothing is known; nobody whose end frees nothing."""
    decision = run(look(*pilots, host=LOW), AT_ONCE)
    assert kinds(decision) == first
    assert Code.LOW_DISK in codes(decision)


@pytest.mark.parametrize(
    ("free", "total", "acts"),
    [
        (10, 1000, ["Terminate young"]),
        (30, 1000, []),
        (60, 1000, ["Spawn", "Spawn"]),
        (0, 0, ["Spawn", "Spawn"]),
        (4, 1000, ["Kill young"]),
    ],
)
def test_inodes_are_looked_at_too(free: int, total: int, acts: list[str]) -> None:
    """Stop below 5 %, end below 2 % who has most files; btrfs has none to count."""
    host = replace(HOST, inodes_free=free, inodes_total=total)
    pilots = wrote(OLD, 9 * GB, 100), wrote(YOUNG, GB, 5000)
    decision = run(look(*pilots, host=host), AT_ONCE)
    assert kinds(decision) == acts
    if "Terminate young" in acts:
        assert str(decision.actions[0].reason) == (
            "1.0 % of the inodes are free on Docker's disk, less than 2 %, since 0 s; "
            "plancton-young wrote most of all pilots: 5000 files"
        )


def test_one_after_the_other_and_after_what_it_held_is_free() -> None:
    """The next one goes when the shortage has lasted anew since the first was removed."""
    pilots = wrote(OLD, 3 * GB), wrote(YOUNG, 2 * GB)
    first = run(look(*pilots, host=LOW))
    assert kinds(first) == []
    second = run(look(*pilots, host=LOW), state=first.state, now=NOW + 5)
    assert kinds(second) == ["Terminate old"]
    assert str(second.actions[0].reason) == (
        "900 MB are free on Docker's disk, less than 1 GB, since 5 s; "
        "plancton-old wrote most of all pilots: 3 GB"
    )
    state = carry_out(second, policy(), NOW + 5)
    gone = exited("old", 50, NOW + 14)
    removal = run(look(gone, pilots[1], host=LOW), state=state, now=NOW + 14)
    assert kinds(removal) == ["Remove old"]
    state = carry_out(removal, policy(), NOW + 14)
    alone = look(pilots[1], host=LOW)
    third = run(alone, state=state, now=NOW + 15)
    assert kinds(third) == []
    assert kinds(run(alone, state=third.state, now=NOW + 19)) == ["Terminate young"]


def test_a_nearly_full_disk_leaves_no_time_for_sigterm() -> None:
    """Below a quarter of evict_below pilots are killed, also one that was asked to go before."""
    patient = replace(wrote(OLD, 3 * GB), grace=600.0)
    full = replace(HOST, disk_free=GB // 5)
    first = run(look(patient, host=full))
    assert kinds(first) == []
    killed = run(look(patient, host=full), state=first.state, now=NOW + 1)
    assert kinds(killed) == ["Kill old"]
    asked = run(look(patient, host=LOW), AT_ONCE)
    state = carry_out(asked, AT_ONCE, NOW)
    hastened = run(look(patient, host=full), AT_ONCE, state, NOW + 1)
    assert kinds(hastened) == ["Kill old"]
    state = carry_out(hastened, AT_ONCE, NOW + 1)
    assert kinds(run(look(patient, host=full), AT_ONCE, state, NOW + 2)) == []


def test_a_kill_is_an_eviction_once() -> None:
    """It counts and holds new pilots back as SIGTERM does, and not again for the same pilot."""
    full = look(replace(wrote(OLD, 3 * GB), grace=600.0), host=replace(HOST, disk_free=0))
    killed = run(full, AT_ONCE)
    outcome = Outcome(killed.actions[0])
    assert account_of(outcome, killed.state, NOW).evicted == 1
    state = apply_outcome(killed.state, outcome, AT_ONCE, NOW)
    assert state.hold_until == NOW + AT_ONCE.protect.hold_after_eviction
    assert account_of(outcome, state, NOW).evicted == 0


@pytest.mark.parametrize(
    "disk", [{"evict_below": "off"}, {"stop_below": "off", "evict_below": "off"}]
)
def test_off_is_off(disk: dict[str, Any]) -> None:
    """Nobody is ended then."""
    seen = look(wrote(OLD, 3 * GB), wrote(YOUNG, 0), host=replace(HOST, disk_free=0))
    assert not any(
        kind.startswith(("Kill", "Term")) for kind in kinds(run(seen, guarded(disk=disk)))
    )
