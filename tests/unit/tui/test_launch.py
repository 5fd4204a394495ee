"""Which engine the screen holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plancton.service.process.lock import Lock
from plancton.service.process.paths import Paths
from plancton.tui import launch
from plancton.tui.launch import DisplayOptions, run


def _paths(folder: Path) -> Paths:
    return Paths(folder / "config.yaml", folder, folder, folder)


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path, int | None]]:
    """Return what was chosen: attached or hosting, whose, and the process's PID."""
    made: list[tuple[str, Path, int | None]] = []

    def attached(paths: Paths, pid: int | None, display: DisplayOptions) -> int:
        made.append(("attached", paths.rundir, pid))
        return 0

    def hosting(paths: Paths, display: DisplayOptions, log_level: str) -> int:
        made.append(("hosting", paths.rundir, None))
        return 0

    monkeypatch.setattr(launch, "_attach", attached)
    monkeypatch.setattr(launch, "_host", hosting)
    monkeypatch.setattr(launch, "system_paths", lambda: _paths(tmp_path / "system"))
    return made


@pytest.mark.parametrize(
    ("running", "own", "attach", "expected"),
    [
        ((), False, False, ("hosting", "mine")),
        (("mine",), False, False, ("attached", "mine")),
        (("system",), False, False, ("attached", "system")),
        (("mine", "system"), False, False, ("attached", "mine")),
        (("system",), True, False, ("hosting", "mine")),
        ((), False, True, ("attached", "mine")),
        (("system",), True, True, ("attached", "mine")),
    ],
)
def test_an_engine_that_runs_is_taken_before_one_is_hosted(
    tmp_path: Path,
    chosen: list[tuple[str, Path, int | None]],
    running: tuple[str, ...],
    own: bool,
    attach: bool,
    expected: tuple[str, str],
) -> None:
    """One's own, then the system's unless an own one was named; --attach never hosts."""
    locks = [Lock(_paths(tmp_path / name).lock).acquire() for name in running]
    assert run(_paths(tmp_path / "mine"), DisplayOptions(), "info", attach=attach, own=own) == 0
    pid = os.getpid() if running and expected[0] == "attached" and expected[1] in running else None
    assert chosen == [(expected[0], tmp_path / expected[1], pid)]
    for lock in locks:
        lock.release()
