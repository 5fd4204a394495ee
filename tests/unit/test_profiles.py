"""Several profiles: shares over time, own limits, exit codes; and new images tried by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from plancton.config import schema
from plancton.engine.model.action import Decision, Outcome, Spawn
from plancton.engine.model.node import ImageStatus
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Backoff, Ending, FailureKind, Rollout, State
from plancton.engine.rules.apply_outcomes import apply_outcome
from tests.scenario.rig import Rig
from tests.unit.tables import NOW, PROFILE, codes, look, pilot, policy, run


def lives(rig: Rig, names: tuple[str, ...], hours: float = 3) -> Counter[str]:
    """Run and return the core-seconds that each profile had."""
    had: Counter[str] = Counter()
    for _ in range(int(hours * 360)):
        rig.run(10)
        had.update(dict.fromkeys(names, 0))
        for each in rig.node.running():
            had[each.profile] += round(10 * each.cpus)
    return had


@pytest.mark.parametrize("cores", [1, 3, 8])
def test_shares_hold_over_time_even_on_one_core(cores: int) -> None:
    """Three to one, whatever the number of slots."""
    pilots = [{"name": "big", "share": 3}, {"name": "small"}]
    had = lives(Rig(cores, pilots=pilots), ("big", "small"))
    assert had["big"] / had["small"] == pytest.approx(3, rel=0.12)


def test_a_share_that_is_not_used_goes_to_the_others_and_comes_back() -> None:
    """A failing profile leaves the node to the other; healed it has its share again."""
    rig = Rig(4, pilots=[{"name": "good"}, {"name": "bad"}], spawn={"backoff_max": "60s"})
    rig.node.lifetime = lambda profile: 60.0 if profile.name == "good" or healed else 0.5
    healed = False
    had = lives(rig, ("good", "bad"), 1)
    assert had["good"] > 0.95 * sum(had.values())
    healed = True
    had = lives(rig, ("good", "bad"), 3)
    assert had["bad"] / sum(had.values()) == pytest.approx(0.5, abs=0.12)


def test_a_large_profile_is_not_starved_by_small_ones() -> None:
    """Cores are kept free for it when it is owed its share, for a bounded time."""
    pilots = [{"name": "small"}, {"name": "large", "cpus": 3, "image": "large:1"}]
    rig = Rig(4, pilots=pilots)
    rig.node.missing_images.add("large:1")
    ages = iter(range(10**6))
    rig.node.lifetime = lambda p: 300.0 if p.name == "large" else 60.0 + next(ages) % 7 * 10
    rig.run(1200)
    rig.node.missing_images.clear()
    had = lives(rig, ("small", "large"), 4)
    assert had["large"] > 0.3 * sum(had.values())
    assert any(d.code == "kept-free" for s in rig.seen for d in s.findings)


def test_a_profile_has_its_own_maximum_and_is_shrunk_to_it() -> None:
    """Beside that of the node."""
    rules = replace(policy(4), maxima={"default": 2})
    decision = run(look(), rules)
    assert sum(isinstance(a, Spawn) for a in decision.actions) == 2
    assert codes(decision) == [Code.PROFILE_FULL]
    three = [pilot(name, created_at=NOW - age) for name, age in (("a", 9), ("b", 5), ("c", 1))]
    ended = run(look(*three), rules)
    assert [str(a.reason) for a in ended.actions] == ["3 pilots run and the maximum is 2"]


# --- exit codes -----------------------------------------------------------------------------


def exited(code: int, lived: float = 100.0) -> Pilot:
    """Return a pilot that ended by itself."""
    times = {"created_at": NOW - lived, "started_at": NOW - lived, "finished_at": NOW}
    return pilot("x", state=PilotState.EXITED, exit_code=code, image_id="sha256:old", **times)


@pytest.mark.parametrize(
    ("code", "kind", "wait"),
    [
        (80, FailureKind.NO_WORK, 60.0),
        (81, FailureKind.BROKEN, 3600.0),
        (82, FailureKind.OUTDATED, 900.0),
        (0, None, 0.0),
        (1, None, 0.0),
    ],
)
def test_exit_codes_say_what_to_wait_for(code: int, kind: FailureKind | None, wait: float) -> None:
    """However long the pilot lived; other codes mean nothing after a long life."""
    decision = run(look(exited(code), mode=Mode.DRAINING))
    backoff = decision.state.backoffs.get("default")
    assert (backoff.kind if backoff else None) is kind
    assert (backoff.until - NOW if backoff else 0.0) == wait
    assert decision.refresh == ({"busybox:latest"} if kind is FailureKind.OUTDATED else frozenset())


def test_an_outdated_image_is_waited_for_until_a_new_one_is_there() -> None:
    """Not longer: the wait ends with the new image."""
    old = {PROFILE.image: ImageStatus(id="sha256:old")}
    state = run(look(exited(82), images=old)).state
    assert codes(run(look(images=old), state=state, now=NOW + 1)) == [Code.BACKOFF]
    new = {PROFILE.image: ImageStatus(id="sha256:new")}
    assert len(run(look(images=new), state=state, now=NOW + 1).actions) == 4


def test_after_no_work_one_pilot_tries_until_it_has_lived_as_long_as_the_wait() -> None:
    """Then the others follow."""
    state = run(look(exited(80))).state
    assert len(run(look(), state=state, now=NOW + 60).actions) == 1
    probe = pilot("p", created_at=NOW + 60, started_at=NOW + 60)
    assert codes(run(look(probe), state=state, now=NOW + 119)) == [Code.PROBING]
    assert len(run(look(probe), state=state, now=NOW + 120).actions) == 3


def test_profiles_back_off_by_their_own_settings() -> None:
    """A first wait and a short life of their own."""
    own = schema.Profile(backoff=40.0, short_life=200.0)
    decision = run(look(exited(1)), policy(4, own))
    assert decision.state.backoffs["default"].until == NOW + 40


# --- canary ---------------------------------------------------------------------------------

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
    ended = replace(exited(code, lived), image_id=NEW)
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
    evicted = replace(exited(143, 1.0), image_id=NEW)
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


def test_a_policy_may_forbid_starts_by_an_expression() -> None:
    """And says which."""
    rules: Policy = replace(policy(4), when=False, when_text="foreground_5m < 1")
    assert str(run(look(), rules).findings[0]) == "spawn.when is not true: foreground_5m < 1"
