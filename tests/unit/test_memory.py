"""History, ledger, and what outlives an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.engine.model.state import Rollout
from plancton.engine.records.history import LEVELS, METRICS, SECONDS, History
from plancton.engine.records.ledger import Account, Ledger
from plancton.engine.records.persistent_state import PersistentState
from plancton.service.state_file import StateFile
from tests.scenario.rig import Rig


def values(cpu: float) -> tuple[float, ...]:
    """Return a row in which only the CPU is not 0."""
    return (cpu, *(0.0,) * (len(METRICS) - 1))


def test_means_are_those_of_their_spans() -> None:
    """A step down ten minutes ago is seen by each span in its part."""
    history, wall = History(), 1e9
    for tick in range(2 * 86400 // 10):
        history = history.add(wall + 10 * tick, 10, values(4.0 if 10 * tick < 172200 else 1.0))
    end = wall + 172800
    means = {name: (history.means(span, end) or {})["cpu"] for name, span in SECONDS.items()}
    assert means["5m"] == pytest.approx(1.0)
    assert means["30m"] == pytest.approx(3.0, abs=0.15)
    assert means["1h"] == pytest.approx(3.5, abs=0.1)
    assert means["12h"] == pytest.approx(3.96, abs=0.05)
    assert means["1d"] == pytest.approx(3.98, abs=0.05)


@given(st.lists(st.tuples(st.floats(0.1, 4000), st.floats(0, 64)), max_size=60))
def test_history_takes_constant_memory_and_means_stay_within_what_was_seen(
    steps: list[tuple[float, float]],
) -> None:
    """However long the engine runs, and whatever the gaps."""
    history, wall = History(), 1e9
    for seconds, cpu in steps:
        wall += seconds
        history = history.add(wall, seconds, values(cpu))
    for rows, (_, count) in zip(history.levels, LEVELS, strict=True):
        assert len(rows) <= count
        assert [row.at for row in rows] == sorted({row.at for row in rows})
    means = history.means(300, wall)
    if means is not None:
        seen = [cpu for _, cpu in steps]
        assert min(seen) - 1e-6 <= means["cpu"] <= max(seen) + 1e-6


def test_a_wall_clock_set_back_breaks_nothing() -> None:
    """It adds to the last row."""
    history = History().add(1e9, 5, values(1.0)).add(1e9 - 7200, 5, values(3.0))
    assert len(history.levels[0]) == 1
    assert History().means(300, 1e9) is None


def test_accounts_add_up_and_days_begin_anew() -> None:
    """Sums, the longest of reactions, and shares."""
    one = Account(seconds=5, harvested=8, missed={"hold": 2.0}, reaction_max=3, ended={"ttl": 1})
    both = one + Account(seconds=1, missed={"full": 1.0}, reaction_max=2, ended={"ttl": 2})
    assert (both.seconds, both.reaction_max, both.ended) == (6, 3, {"ttl": 3})
    assert both.share == pytest.approx(8 / 11)
    assert Account().share is None
    ledger = Ledger().book(one, "Mon", 1.0).book(one, "Tue", 2.0)
    assert (ledger.today.harvested, ledger.total.harvested, ledger.since_wall) == (8, 16, 1.0)


def test_the_ledger_explains_every_idle_core_second() -> None:
    """What is harvested and what is missed add up to what the foreground left."""
    rig = Rig(4, spawn={"maximum": 3})
    rig.run(30)
    rig.node.foreground = 2.0
    rig.run(300)
    rig.node.foreground = 0.0
    rig.node.lifetime = lambda _: 1.0
    rig.run(600)
    rig.node.down = "it is away"
    rig.run(60)
    rig.node.down = ""
    rig.run(10)
    total = rig.latest.ledger.total
    lent = 4 * total.seconds - 2.0 * 300
    assert total.idle == pytest.approx(lent, rel=0.02)
    assert {"backoff", "full", "warming up", "docker away"} <= set(total.missed)
    assert total.ended["exited"] > 3


def test_what_outlives_the_engine_is_there_after_a_restart(tmp_path: Path) -> None:
    """History, ledger, good images: through the real file."""
    rig = Rig(2)
    state_store = StateFile(tmp_path / "state" / "memory.json")
    rig.run(120)
    rig.engine.save()
    saved = rig.node.saved_state
    state_store.save(saved)
    assert state_store.load() == saved
    rig.node.saved_state = state_store.load()
    rig.engine = rig.new_engine()
    rig.run(10)
    assert rig.latest.ledger.total.seconds > 120
    assert rig.latest.policy["cpu_5m"] == pytest.approx(2.0, abs=0.3)
    assert (tmp_path / "state" / "memory.json").stat().st_mode & 0o007 == 0


def test_an_unreadable_memory_is_set_aside(tmp_path: Path) -> None:
    """It is neither trusted nor overwritten."""
    path = tmp_path / "memory.json"
    path.write_text('{"history": ')
    assert StateFile(path).load() == PersistentState()
    assert (tmp_path / "memory.unreadable").read_text() == '{"history": '
    assert StateFile(path).load() == PersistentState()
    kept = PersistentState(rollouts={"a": Rollout("sha256:1", why="x")})
    StateFile(path).save(kept)
    assert StateFile(path).peek() == kept
