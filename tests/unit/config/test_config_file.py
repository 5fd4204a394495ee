"""The file is watched, and its last good text kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.config.config_file import ConfigFile
from plancton.config.schema import Config


def test_a_file_is_watched_and_the_last_good_one_kept(tmp_path: Path) -> None:
    """Revision counts real changes; taking the file away returns to the defaults."""
    path = tmp_path / "c.yaml"
    file = ConfigFile(path)
    assert file.current().source.startswith("built-in defaults")
    path.write_text("node: {interval: 9s}")
    assert (file.current().config.node.interval, file.current().revision) == (9.0, 2)
    path.write_text("node: {interval: 9s} # the same")
    assert file.current().revision == 2
    path.write_text("node: {interval: never}")
    assert "interval" in file.current().error
    assert file.current().config.node.interval == 9.0
    path.write_text("spawn: {maximum: 1}")
    assert file.current().config.node.interval == 5.0
    assert file.current().error == ""
    path.unlink()
    assert file.current().config == Config()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """Else a typing error would silently mean the defaults."""
    with pytest.raises(FileNotFoundError):
        ConfigFile(tmp_path / "none.yaml", must_exist=True).first()
