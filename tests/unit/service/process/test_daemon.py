"""Starting in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.service.process.daemon import start
from plancton.service.process.paths import Paths


def test_a_link_in_the_run_directory_is_not_written_through(tmp_path: Path) -> None:
    """Whoever laid it there would have another file emptied."""
    other = tmp_path / "other"
    other.write_text("precious")
    rundir = tmp_path / "run"
    rundir.mkdir()
    (rundir / "plancton.stderr").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        start(Paths(tmp_path / "config.yaml", rundir, tmp_path, tmp_path), "info")
    assert other.read_text() == "precious"
