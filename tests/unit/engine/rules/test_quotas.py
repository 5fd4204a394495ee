"""How many cores pilots may use."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.config.schema import Profile
from plancton.engine.model.action import Spawn
from plancton.engine.model.node import Limit, Protection
from plancton.engine.model.pilot import PilotState
from plancton.engine.model.placement import BindFailure
from plancton.engine.model.state import State
from plancton.engine.rules.quotas import quota_refused
from tests.unit.engine.rules.tables import HOST, NOW, look, pilot, policy, run

MORE = Profile(cpu_limit="none")
WEIGHT_ONLY = replace(HOST, protection=Protection.WEIGHT_ONLY)
BEYOND = "pilots may use idle cores beyond those promised to them"


@pytest.mark.parametrize(
    ("host", "spawn", "held", "why"),
    [
        (HOST, {}, False, ""),
        (WEIGHT_ONLY, {}, True, "they are not in the idle class"),
        (replace(HOST, protection=Protection.LOW_WEIGHT), {}, True, "not in the idle class"),
        (replace(HOST, own_seconds=None), {}, True, "cannot be told from the foreground's"),
        (HOST, {"reserve": 0.5}, True, "spawn.reserve keeps cores free"),
        (HOST, {"ceiling": 0.9}, True, "spawn.ceiling or"),
    ],
)
@pytest.mark.parametrize(("limit", "most"), [("promised", 1.0), ("none", inf), (3.0, 3.0)])
def test_only_where_it_takes_nothing_from_anybody(
    host: Any, spawn: dict[str, Any], held: bool, why: str, limit: Any, most: float
) -> None:
    """Pilots that start and pilots that run may use more than their promise, or no longer."""
    profile = Profile(cpu_limit=limit)
    before = most if held else 1.0
    runs = pilot("a", most_cores=most, held_to=before)
    decision = run(look(runs, host=host), policy(2, profile, **spawn))
    starts = [action.held_to for action in decision.actions if isinstance(action, Spawn)]
    after = 1.0 if held else most
    assert starts == [after]
    assert decision.quotas.cores == ({"a": after} if most > 1 else {})
    if most > 1:
        assert why in decision.quotas.text
        assert (decision.quotas.text == BEYOND) is not held
    else:
        assert decision.quotas.text == ""


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"most_cores": inf, "held_to": inf}, False),
        ({"most_cores": 1.3333333, "held_to": 1.33333}, False),  # as the kernel has it
        ({"most_cores": inf, "held_to": 2.0}, True),  # somebody else's doing
        ({"most_cores": inf, "held_to": None}, False),  # not known yet
        ({"most_cores": None, "held_to": inf}, False),  # never ours to change
        ({"most_cores": 1.0, "held_to": inf}, False),
        ({"most_cores": inf, "held_to": 1.0, "state": PilotState.PAUSED}, True),
        ({"most_cores": inf, "held_to": 1.0, "state": PilotState.EXITED, "exit_code": 0}, False),
    ],
)
def test_only_what_differs_is_changed(fields: dict[str, Any], changed: bool) -> None:
    """And only of pilots that were started as ones that may use more."""
    decision = run(look(pilot("a", **fields)), policy(1))
    assert decision.quotas.cores == ({"a": inf} if changed else {})


def test_without_quotas_in_the_kernel_there_is_nothing_to_decide() -> None:
    """Pilots have none anyway, and status says so."""
    seen = look(pilot("a", most_cores=inf, held_to=1.0), unenforced=frozenset({Limit.CPUS}))
    decision = run(seen, policy(2, MORE))
    assert decision.quotas.cores == {}


def test_what_was_refused_waits_and_is_forgotten_once_it_is_needless() -> None:
    """An engine that updates no container is not asked at each tick."""
    held = pilot("a", most_cores=inf, held_to=1.0)
    state = quota_refused(State(), "no", NOW)
    assert state.quota_failure is not None
    waits = run(look(held), policy(1), state, NOW + 1)
    assert waits.quotas.cores == {}
    assert waits.state.quota_failure == state.quota_failure
    again = run(look(held), policy(1), state, state.quota_failure.retry_at)
    assert again.quotas.cores == {"a": inf}
    twice = quota_refused(again.state, "no", NOW)
    assert twice.quota_failure == BindFailure(2, twice.quota_failure.retry_at, "no")  # type: ignore[union-attr]
    free = run(look(replace(held, held_to=inf)), policy(1), state, NOW + 1)
    assert free.state.quota_failure is None


def test_room_counts_the_promise() -> None:
    """Whatever pilots may use: eight of them fit on eight cores, and no more."""
    runs = [pilot(str(i), most_cores=inf, held_to=inf, created_at=NOW - 50 - i) for i in range(3)]
    decision = run(look(*runs), policy(9, MORE, per_tick=9))
    assert decision.committed == 4.0
    assert sum(isinstance(action, Spawn) for action in decision.actions) == 1


@given(
    st.lists(
        st.builds(
            lambda cpus, more, held, state: pilot(
                "x", cpus=cpus, most_cores=cpus + more, held_to=held, state=state, exit_code=0
            ),
            st.sampled_from([0.5, 1.0, 3.0]),
            st.sampled_from([0.0, 1.0, inf]),
            st.none() | st.floats(0.01, 9) | st.just(inf),
            st.sampled_from([PilotState.RUNNING, PilotState.PAUSED, PilotState.EXITED]),
        ),
        max_size=6,
    ),
    st.sampled_from(Protection),
    st.floats(0, 2),
)
def test_quotas_settle_in_one_step(
    pilots: list[Any], protection: Protection, reserve: float
) -> None:
    """Then each is held to its promise or its limit; decided again, nothing is changed."""
    named = [replace(each, id=str(number)) for number, each in enumerate(pilots)]
    host, rules = replace(HOST, protection=protection), policy(0, reserve=reserve)
    cores = run(look(*named, host=host), rules).quotas.cores
    after = [replace(each, held_to=cores.get(each.id, each.held_to)) for each in named]
    free = protection is Protection.IDLE and reserve == 0
    for each in after:
        if each.live and each.held_to is not None and each.most_cores > each.cpus:
            assert each.held_to == pytest.approx(each.most_cores if free else each.cpus, abs=1e-3)
    assert run(look(*after, host=host), rules).quotas.cores == {}
