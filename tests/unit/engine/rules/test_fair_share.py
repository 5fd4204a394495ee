"""Profiles have their shares over time."""

from __future__ import annotations

from collections import Counter

import pytest

from plancton.config import schema
from plancton.engine.model.action import Spawn
from plancton.engine.model.state import Backoff, State
from tests.scenario.rig import Rig
from tests.unit.engine.rules.tables import NOW, look, policy, run


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


def lives(rig: Rig, names: tuple[str, ...], hours: float = 3) -> Counter[str]:
    """Run and return the core-seconds that each profile had."""
    had: Counter[str] = Counter()
    for _ in range(int(hours * 360)):
        rig.run(10)
        had.update(dict.fromkeys(names, 0))
        for each in rig.node.running():
            had[each.profile] += round(10 * each.cpus)
    return had


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 3, 8])
def test_shares_hold_over_time_even_on_one_core(cores: int) -> None:
    """Three to one, whatever the number of slots."""
    pilots = [{"name": "big", "share": 3}, {"name": "small"}]
    had = lives(Rig(cores, pilots=pilots), ("big", "small"))
    assert had["big"] / had["small"] == pytest.approx(3, rel=0.12)


@pytest.mark.slow
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
    had = lives(rig, ("small", "large"), 2)
    assert had["large"] > 0.3 * sum(had.values())
    assert any(d.code == "kept-free" for s in rig.seen for d in s.findings)
