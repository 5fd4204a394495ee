"""New images are tried by one pilot first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plancton.engine.model.action import Decision, Outcome, Spawn
from plancton.engine.model.node import ImageStatus
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Backoff, Ending, Rollout, State
from plancton.engine.rules.apply_outcomes import apply_outcome
from plancton.engine.rules.canary import pinned_images
from tests.unit.engine.rules.tables import (
    NOW,
    PROFILE,
    codes,
    exited_with,
    look,
    pilot,
    policy,
    run,
)

OLD, NEW = "sha256:old", "sha256:new"
KNOWN = {PROFILE.image: Rollout(good=OLD)}


def rolling(*pilots: Pilot, image: str = NEW, **state: Any) -> Decision:
    """Decide with canaries on, a good old image and another one behind the reference."""
    rules = replace(policy(4), canary=True, canary_life=600.0)
    seen = look(*pilots, images={PROFILE.image: ImageStatus(id=image)})
    return run(seen, rules, State(**{"rollouts": KNOWN, **state}))


def images(decision: Decision) -> list[str]:
    """Return the images of the pilots to start."""
    return [a.image_id for a in decision.actions if isinstance(a, Spawn)]


def test_one_pilot_tries_a_new_image() -> None:
    """The others stay with the good one until it has lived."""
    decision = rolling()
    assert images(decision) == [NEW, OLD, OLD, OLD]
    assert decision.actions[0].reason.code is Code.CANARY
    trying = pilot("t", image_id=NEW, started_at=NOW - 599, created_at=NOW - 599)
    assert images(rolling(trying)) == [OLD] * 3
    lived = replace(trying, started_at=NOW - 600)
    promoted = rolling(lived, rollouts={PROFILE.image: Rollout(OLD, trial=NEW)})
    assert promoted.state.rollouts[PROFILE.image] == Rollout(good=NEW)
    assert images(promoted) == [NEW] * 3


@pytest.mark.parametrize(
    ("code", "lived", "good"), [(0, 50.0, NEW), (80, 50.0, NEW), (1, 50.0, OLD), (0, 1.0, OLD)]
)
def test_a_trial_ends_with_its_pilot(code: int, lived: float, good: str) -> None:
    """Well, and the image is promoted; badly, and the last good one stays, with the reason."""
    ended = replace(exited_with(code, lived), image_id=NEW)
    decision = rolling(ended, rollouts={PROFILE.image: Rollout(OLD, trial=NEW)})
    assert decision.state.rollouts[PROFILE.image].good == good
    assert (Code.IMAGE_PINNED in codes(decision)) is (good == OLD)


def test_a_failed_image_is_not_tried_again_but_a_newer_one_is() -> None:
    """The reason stays in the findings."""
    failed = {PROFILE.image: Rollout(OLD, bad=NEW, why="x exited with code 1")}
    pinned = rolling(rollouts=failed)
    assert images(pinned) == [OLD] * 4
    assert "the new new failed (x exited with code 1)" in str(pinned.findings[0])
    assert images(rolling(rollouts=failed, image="sha256:newer")) == ["sha256:newer", *[OLD] * 3]


def test_an_end_of_ours_is_no_judgement_and_without_canaries_nothing_is_pinned() -> None:
    """An evicted canary is followed by another."""
    evicted = replace(exited_with(143, 1.0), image_id=NEW)
    rollouts = {PROFILE.image: Rollout(OLD, trial=NEW)}
    ours = rolling(evicted, rollouts=rollouts, endings={"x": _ending()})
    assert images(ours)[0] == NEW
    assert images(run(look(), state=State(rollouts=KNOWN))) == [""] * 4


def _ending() -> Ending:
    return Ending(Reason.of(Code.PRESSURE), NOW)


def test_a_pinned_image_that_somebody_removed_is_given_up() -> None:
    """The reference is looked up again, instead of failing for ever."""
    rules = replace(policy(1), canary=True)
    decision = rolling(rollouts={PROFILE.image: Rollout(OLD, bad=NEW, why="x")})
    outcome = Outcome(decision.actions[0], error="no image", image_missing=True)
    state = apply_outcome(decision.state, outcome, rules, NOW)
    assert state.rollouts == {}
    assert isinstance(state.backoffs["default"], Backoff)


def test_images_that_starts_may_ask_for_are_pinned() -> None:
    """The good one and the candidate, not the bad one; none of a reference that nobody wants."""
    rollouts = {
        PROFILE.image: Rollout(good=OLD, trial=NEW, bad="sha256:bad"),
        "other:1": Rollout(good="sha256:other"),
    }
    assert pinned_images(rollouts, policy(4)) == {OLD, NEW}
    assert pinned_images({PROFILE.image: Rollout(good=OLD)}, policy(4)) == {OLD}
