"""When a spare is made, kept and removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plancton.config import schema
from plancton.engine.model.action import Action, Discard, Outcome, Prepare, Spawn
from plancton.engine.model.node import ImageStatus, Observation
from plancton.engine.model.operator import Mode
from plancton.engine.model.policy import Policy
from plancton.engine.model.spare import Spare, SpareFailure, spec_hash
from plancton.engine.model.state import Backoff, Rollout, State
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.unit.engine.rules.tables import HOST, NOW, PROFILE, exited, look, pilot, policy, run

SPARE = Spare("s", "plancton-s", "default", spec_hash(PROFILE), "sha256:1")
FULL = policy(1, spare=True)


def spares(seen: Observation, rules: Policy = FULL, state: State | None = None) -> list[str]:
    """Return what is done about spares."""
    actions = run(seen, rules, state).actions
    return [_said(action) for action in actions if isinstance(action, Prepare | Discard)]


def _said(action: Action) -> str:
    return f"discard {action.spare.id}" if isinstance(action, Discard) else "prepare"


def test_one_is_made_when_all_is_calm_and_kept() -> None:
    """Only where it is asked for, and one."""
    assert spares(look(pilot("a"))) == ["prepare"]
    assert spares(look(pilot("a"), spares=(SPARE,))) == []
    assert spares(look(pilot("a")), policy(1)) == []


@pytest.mark.parametrize(
    "busy",
    [
        {"foreground": 3.6},
        {"load": None},
        {"host": replace(HOST, memory_available=10**8)},
    ],
)
def test_none_is_made_under_pressure_and_one_that_is_there_stays(busy: dict[str, Any]) -> None:
    """Making it takes CPU, which it would wait for; keeping it takes none."""
    assert spares(look(pilot("a"), **busy)) == []
    assert spares(look(pilot("a"), spares=(SPARE,), **busy)) == []


@pytest.mark.parametrize(
    "profile",
    [
        {"binds": ("/data:/data",)},
        {"devices": ("/dev/fuse",)},
        {"env": {"a.b": "1"}},
        {"env": {"PLANCTON_DEADLINE": "1"}},
    ],
)
def test_none_is_made_of_what_may_change_meanwhile(profile: dict[str, Any]) -> None:
    """What is bound, devices, and variables that a shell would drop."""
    rules = policy(1, schema.Profile.model_validate(profile), spare=True)
    assert spares(look(pilot("a")), rules) == []


@pytest.mark.parametrize(
    ("seen", "rules", "state"),
    [
        (look(), FULL, State()),
        (look(pilot("a"), mode=Mode.DRAINING), FULL, State()),
        (look(pilot("a")), replace(FULL, drain=True), State()),
        (look(pilot("a")), replace(FULL, when=False), State()),
        (look(pilot("a")), replace(FULL, maximum=0), State()),
        (look(pilot("a")), replace(FULL, maxima={"default": 0}), State()),
        (look(pilot("a"), images={PROFILE.image: ImageStatus(error="gone")}), FULL, State()),
        (look(pilot("a")), FULL, State(backoffs={"default": Backoff(1, NOW + 5, NOW - 50)})),
        (look(pilot("a")), policy(1), State()),
    ],
)
def test_where_no_pilot_will_start_soon_none_is_made_and_it_is_removed(
    seen: Observation, rules: Policy, state: State
) -> None:
    """No pilot, a drain, a condition, a maximum, no image, back-off, or switched off."""
    assert "prepare" not in spares(seen, rules, state)
    with_one = replace(seen, spares=(SPARE,))
    if seen.pilots:
        assert spares(with_one, rules, state) == ["discard s"]
    else:  # it is about to be filled: the first pilot starts in it
        assert spares(with_one, rules, state) == []


@pytest.mark.parametrize("images", [{}, {PROFILE.image: ImageStatus(pulling=True)}])
def test_right_after_the_start_of_plancton_one_is_neither_made_nor_removed(
    images: dict[str, ImageStatus],
) -> None:
    """The image has not been looked for yet; a killed Plancton may have left a spare of it."""
    assert spares(look(pilot("a"), images=images)) == []
    assert spares(look(pilot("a"), images=images, spares=(SPARE,))) == []


def test_right_after_the_start_of_plancton_one_waits_for_a_pilot_that_ended_before() -> None:
    """Until the foreground has been measured no pilot can start in it."""
    assert spares(look(exited("a", 100.0), spares=(SPARE,), load=None)) == []
    assert spares(look(exited("a", 100.0), load=None)) == []


def test_the_start_of_the_next_comes_first() -> None:
    """In the tick of an exit none is made, and none removed: the pilot starts in it."""
    rules = policy(1, spare=True, short_life=0)
    decision = run(look(exited("x", 100.0), spares=(SPARE,)), rules)
    assert any(isinstance(action, Spawn) for action in decision.actions)
    assert not any(isinstance(action, Prepare | Discard) for action in decision.actions)
    decision = run(look(exited("x", 100.0)), rules)
    assert not any(isinstance(action, Prepare) for action in decision.actions)
    assert decision.spare_awaited


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"spec": "other"}, "has changed"),
        ({"image_id": "sha256:2"}, "another image"),
        ({"profile": "gone"}, "no pilot of gone"),
        ({"outdated": "the wall clock was set"}, "wall clock"),
        ({"ready": False}, "it ended before"),
    ],
)
def test_what_no_longer_fits_is_removed_with_its_reason(changed: dict[str, Any], why: str) -> None:
    """And another is made once it has gone."""
    decision = run(look(pilot("a"), spares=(replace(SPARE, **changed),)), FULL)
    (action,) = decision.actions
    assert isinstance(action, Discard)
    assert why in str(action.reason)


def test_a_second_one_is_removed() -> None:
    """Two ticks may have raced, or two versions."""
    assert spares(look(pilot("a"), spares=(SPARE, replace(SPARE, id="t")))) == ["discard t"]


def test_it_keeps_to_the_good_image_while_another_is_tried() -> None:
    """A canary starts anew, its trial over all starts do."""
    rules = replace(FULL, canary=True)
    images = {PROFILE.image: ImageStatus(id="sha256:2")}
    state = State(rollouts={PROFILE.image: Rollout(good="sha256:1", trial="sha256:2")})
    seen = look(pilot("a", image_id="sha256:1"), images=images)
    (action,) = run(seen, rules, state).actions
    assert isinstance(action, Prepare)
    assert action.image_id == "sha256:1"
    assert spares(replace(seen, spares=(SPARE,)), rules, state) == []


def test_one_that_fails_is_tried_again_ever_later() -> None:
    """A minute, then two, up to an hour; one that holds forgets it."""
    state, now, waits = State(), NOW, []
    seen = look(pilot("a", deadline_at=NOW + 1e6))
    for _ in range(9):
        decision = run(seen, FULL, state, now)
        (action,) = decision.actions
        state = apply_outcome(decision.state, Outcome(action, error="no shell"), FULL, now)
        failed = state.spare_failures["default"]
        assert run(seen, FULL, state, failed.retry_at - 1).actions == ()
        waits.append(failed.retry_at - now)
        now = failed.retry_at
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    held = run(look(pilot("a"), spares=(SPARE,)), FULL, state)
    assert held.state.spare_failures == {}


def test_one_that_ended_by_itself_counts_as_failed() -> None:
    """An image without a shell, or somebody's docker stop."""
    decision = run(look(pilot("a"), spares=(replace(SPARE, ready=False),)), FULL)
    assert decision.state.spare_failures == {"default": SpareFailure(1, NOW + 60)}


def test_one_that_cannot_be_removed_is_tried_again_later() -> None:
    """Docker may hang on it."""
    seen = look(pilot("a"), spares=(replace(SPARE, spec="old"),))
    decision = run(seen, FULL)
    state = apply_outcome(decision.state, Outcome(decision.actions[0], error="busy"), FULL, NOW)
    assert spares(seen, FULL, state) == []
    assert [type(a) for a in run(seen, FULL, state, NOW + 2).actions] == [Discard]


@pytest.mark.parametrize("mode", [Mode.STOPPING, Mode.ENDING, Mode.FORCED])
def test_the_engine_ends_only_when_no_spare_is_left(mode: Mode) -> None:
    """Nothing of ours stays."""
    decision = run(look(mode=mode, spares=(SPARE,)), FULL)
    assert [type(action) for action in decision.actions] == [Discard]
    assert not decision.finished
    assert run(look(mode=mode), FULL).finished
