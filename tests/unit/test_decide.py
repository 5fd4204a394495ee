"""The rules, one table each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config import schema
from plancton.engine.model.action import Action, Freeze, Kill, Outcome, Remove, Spawn, Terminate
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Backoff, Ending, State
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.tables import NOW, PROFILE, carry_out, codes, kinds, look, pilot, policy, run


@pytest.mark.parametrize(
    ("seen", "rules", "starts", "found"),
    [
        (look(), policy(4), 4, [Code.FULL]),
        (look(), policy(9), 4, [Code.NO_ROOM]),
        (look(), policy(4, per_tick=2), 2, [Code.PER_TICK]),
        (look(foreground=2.0), policy(4), 2, [Code.NO_ROOM]),
        (look(foreground=2.4), policy(4), 2, [Code.NO_ROOM]),
        (look(foreground=2.6), policy(4), 1, [Code.NO_ROOM]),
        (look(), policy(4, ceiling=0.5), 2, [Code.NO_ROOM]),
        (look(), policy(4, reserve=3), 1, [Code.NO_ROOM]),
        (look(), policy(0), 0, [Code.FULL]),
        (look(load=None), policy(4), 0, [Code.WARMING_UP]),
        (look(mode=Mode.DRAINING), policy(4), 0, [Code.MODE]),
        (look(), replace(policy(4), drain=True), 0, [Code.CONFIG_DRAIN]),
        (look(mode=Mode.DRAINING), replace(policy(4), drain=True), 0, [Code.MODE]),
        (look(images={}), policy(4), 0, [Code.NO_IMAGE]),
        (look(pilot("a"), pilot("b")), policy(3), 1, [Code.FULL]),
        (look(pilot("a", state=PilotState.CREATED, created_at=NOW)), policy(2), 1, [Code.FULL]),
        (look(pilot("a", state=PilotState.PAUSED)), policy(1), 0, [Code.FROZEN_FIRST]),
        (look(), policy(1), 1, [Code.FULL]),
    ],
)
def test_spawns_by_room_maximum_and_count(
    seen: Observation, rules: Policy, starts: int, found: list[Code]
) -> None:
    """Starts as many as fit, and says what keeps it from more."""
    decision = run(seen, rules)
    assert sum(isinstance(a, Spawn) for a in decision.actions) == starts
    assert codes(decision) == found


@pytest.mark.parametrize(
    ("state", "mode", "expected"),
    [
        (PilotState.EXITED, Mode.ACTIVE, "Remove a"),
        (PilotState.DEAD, Mode.DRAINING, "Remove a"),
        (PilotState.REMOVING, Mode.FORCED, None),
        (PilotState.RUNNING, Mode.FORCED, "Kill a"),
        (PilotState.PAUSED, Mode.FORCED, "Kill a"),
        (PilotState.CREATED, Mode.FORCED, "Remove a"),
        (PilotState.RUNNING, Mode.ENDING, "Terminate a"),
        (PilotState.CREATED, Mode.ENDING, "Remove a"),
        (PilotState.RUNNING, Mode.STOPPING, None),
        (PilotState.RUNNING, Mode.DRAINING, None),
        (PilotState.CREATED, Mode.STOPPING, "Remove a"),
    ],
)
def test_ends_pilots_by_state_and_mode(state: PilotState, mode: Mode, expected: str | None) -> None:
    """What is done with one pilot in each state, by the operator's word."""
    decision = run(look(pilot("a", state=state), mode=mode), policy(0 if mode == "active" else 1))
    assert kinds(decision) == ([expected] if expected else [])


def test_an_orphan_is_removed_only_after_its_time_to_start() -> None:
    """A created container may still be starting; later, or after a reboot, it is an orphan."""
    young = look(pilot("a", state=PilotState.CREATED, created_at=NOW - 29), mode=Mode.DRAINING)
    old = look(pilot("a", state=PilotState.CREATED, created_at=NOW - 31), mode=Mode.DRAINING)
    before = look(pilot("a", state=PilotState.CREATED, created_at=NOW + 9e4), mode=Mode.DRAINING)
    assert kinds(run(young)) == []
    assert kinds(run(old)) == ["Remove a"]
    assert kinds(run(before)) == ["Remove a"]


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


@pytest.mark.parametrize(
    ("action", "held"),
    [
        (Terminate(pilot("a"), Reason.of(Code.PRESSURE)), True),
        (Terminate(pilot("a"), Reason.of(Code.TTL)), False),
        (Terminate(pilot("a"), Reason.of(Code.SHRINK)), False),
        (Kill(pilot("a"), Reason.of(Code.OPERATOR)), False),
        (Remove(pilot("a"), Reason.of(Code.EXITED)), False),
        (Terminate(pilot("a"), Reason.of(Code.LOW_MEMORY)), True),
        (Freeze(pilot("a"), Reason.of(Code.PRESSURE)), False),
    ],
)
def test_only_an_eviction_arms_the_hold(action: Action, held: bool) -> None:
    """Normal exits, TTL, and orders never delay the next start."""
    state = apply_outcome(State(), Outcome(action), policy(), NOW)
    assert (state.hold_until > NOW) is held
    failed = apply_outcome(State(), Outcome(action, error="no"), policy(), NOW)
    assert failed.hold_until == 0


def test_the_hold_is_said_and_ends() -> None:
    """Nothing starts while it lasts."""
    state = State(hold_until=NOW + 60)
    assert codes(run(look(), state=state)) == [Code.HOLD]
    assert kinds(run(look(), state=state, now=NOW + 60)) == ["Spawn"] * 4


def test_a_lowered_maximum_ends_the_youngest() -> None:
    """Shrinks to the maximum at once, and not below it while they go."""
    pilots = [pilot(name, created_at=NOW - age) for name, age in (("a", 9), ("b", 5), ("c", 1))]
    first = run(look(*pilots), policy(1))
    assert kinds(first) == ["Terminate c", "Terminate b"]
    state = carry_out(first, policy(1), NOW)
    assert kinds(run(look(*pilots), policy(1), state)) == []


def exited(name: str, lived: float, at: float = NOW, **fields: Any) -> Pilot:
    """Return a pilot that exited after *lived* seconds."""
    times = {"created_at": at - lived, "started_at": at - lived, "finished_at": at}
    return pilot(name, state=PilotState.EXITED, exit_code=1, **times, **fields)


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


def test_profiles_share_the_room_and_a_failing_one_leaves_its_share() -> None:
    """Shares are weights; a profile in back-off or without image gives way."""
    big = schema.Profile(name="big", share=3)
    small = schema.Profile(name="small")
    both = [
        a.profile.name for a in run(look(), policy(4, big, small)).actions if isinstance(a, Spawn)
    ]
    assert sorted(both) == ["big", "big", "big", "small"]
    state = State(backoffs={"big": Backoff(1, NOW + 9, NOW)})
    rest = run(look(), policy(4, big, small), state)
    assert [a.profile.name for a in rest.actions if isinstance(a, Spawn)] == ["small"] * 4


@pytest.mark.parametrize("mode", [Mode.STOPPING, Mode.ENDING, Mode.FORCED])
def test_the_engine_ends_only_when_no_pilot_is_left(mode: Mode) -> None:
    """An exited pilot must still be recorded and removed first."""
    assert not run(look(exited("x", 99.0), mode=mode)).finished
    assert not run(look(pilot("a"), mode=mode)).finished
    assert run(look(mode=mode)).finished
    assert not run(look(mode=Mode.DRAINING)).finished


def test_every_reason_makes_a_sentence() -> None:
    """No decision of the tables above has a reason that cannot be said."""
    state = State(
        overcommitted_since=NOW - 500,
        endings={"e": Ending(Reason.of(Code.OPERATOR, mode="ending"), NOW + 3)},
        backoffs={"default": Backoff(3, NOW + 9, NOW - 1, "exit 1")},
    )
    pilots = [pilot("a"), pilot("e"), exited("x", 1.0), pilot("t", deadline_at=NOW - 1)]
    seen = look(*pilots, foreground=4.0)
    decision = run(seen, state=state)
    said = [str(a.reason) for a in decision.actions] + [str(f) for f in decision.findings]
    assert len(said) >= 5
    assert all(said)


# --- properties -----------------------------------------------------------------------------

_PILOTS = st.lists(
    st.builds(
        lambda i, s, c, age, ttl: pilot(
            f"p{i}",
            state=s,
            cpus=c,
            created_at=NOW - age,
            started_at=NOW - age,
            deadline_at=NOW + ttl,
            finished_at=NOW,
            exit_code=0,
        ),
        st.integers(0, 99),
        st.sampled_from(PilotState),
        st.sampled_from([0.5, 1.0, 2.0, 4.0]),
        st.floats(0, 1000),
        st.floats(-100, 5000),
    ),
    max_size=12,
    unique_by=lambda p: p.id,
)
_STATES = st.builds(
    State,
    overcommitted_since=st.none() | st.floats(NOW - 1000, NOW),
    hold_until=st.floats(0, NOW + 100),
    backoffs=st.just({}) | st.just({"default": Backoff(2, NOW + 5, NOW - 3, "x")}),
)


@given(_PILOTS, st.floats(0, 4), st.sampled_from(Mode), st.integers(0, 8), _STATES)
def test_decisions_keep_the_promises(
    pilots: list[Pilot], foreground: float, mode: Mode, maximum: int, state: State
) -> None:
    """Never over the maximum or N a tick, one action a pilot, no start without room or mode."""
    decision = run(look(*pilots, foreground=foreground, mode=mode), policy(maximum), state)
    starts = [a for a in decision.actions if isinstance(a, Spawn)]
    touched = [a.pilot.id for a in decision.actions if not isinstance(a, Spawn)]
    live = [p for p in pilots if p.live]
    assert len(touched) == len(set(touched))
    assert len(starts) <= 4
    if starts:
        assert mode is Mode.ACTIVE
        gone = {a.pilot.id for a in decision.actions if isinstance(a, Remove)}
        kept = [p for p in live if p.id not in gone]
        assert not any(p.frozen for p in kept if p.id not in touched)
        assert len(kept) + len(starts) <= maximum
        held = sum(p.cpus for p in kept if not p.frozen)
        assert foreground + held + len(starts) <= 4 + 0.5 + 1e-9
    pressed = [a for a in decision.actions if a.reason.code is Code.PRESSURE]
    if pressed:
        assert foreground + sum(p.cpus for p in live if not p.frozen) > 4
    assert decision.finished is False or not live
