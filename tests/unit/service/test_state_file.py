"""What outlives the engine, in its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plancton.engine.model.state import Rollout
from plancton.engine.records.persistent_state import PersistentState
from plancton.service.state_file import StateFile
from tests.scenario.rig import Rig


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


def test_a_memory_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk stops nothing."""
    (tmp_path / "file").touch()
    state_store = StateFile(tmp_path / "file" / "memory.json")
    for _ in range(3):
        state_store.save(PersistentState())
    said = [r.message for r in caplog.records]
    assert said.count("cannot keep the history and the ledger") == 1


@pytest.mark.parametrize("content", ['{"history": {"levels": []}}', '{"history": {"levels": 5}}'])
def test_what_is_no_history_is_set_aside(tmp_path: Path, content: str) -> None:
    """A start goes on without it."""
    path = tmp_path / "memory.json"
    path.write_text(content)
    assert StateFile(path).load() == PersistentState()
    assert path.with_suffix(".unreadable").read_text() == content


def test_a_pipe_or_a_huge_file_in_its_place_stops_nothing(tmp_path: Path) -> None:
    """Neither is read."""
    path = tmp_path / "memory.json"
    os.mkfifo(path)
    assert StateFile(path).load() == PersistentState()
    with path.open("wb") as file:
        file.truncate(10**12)
    assert StateFile(path).peek() == PersistentState()
    assert StateFile(path).load() == PersistentState()
