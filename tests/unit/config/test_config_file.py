"""The file is watched, and its last good text kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plancton.config.config_file import ConfigFile
from plancton.config.expressions import Expression
from plancton.config.schema import Config
from plancton.config.yaml_source import ConfigError


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


def test_what_is_in_force_changes_only_where_the_loop_reads(tmp_path: Path) -> None:
    """Whoever asks within a tick gets, and leaves, the configuration of that tick."""
    path = tmp_path / "c.yaml"
    path.write_text("node: {interval: 9s}")
    file = ConfigFile(path)
    first = file.first()
    path.write_text("node: {interval: 10s}")
    assert file.in_force is first
    assert file.confirm() is first
    assert file.current() is file.in_force is not first


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """Else a typing error would silently mean the defaults."""
    with pytest.raises(FileNotFoundError):
        ConfigFile(tmp_path / "none.yaml", must_exist=True).first()


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """At the start, and later, when the last good one stays."""
    path = tmp_path / "config.yaml"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is a pipe, and must be a file"):
        ConfigFile(path).first()
    path.unlink()
    path.write_text("spawn: {maximum: 3}")
    source = ConfigFile(path)
    source.first()
    path.unlink()
    os.mkfifo(path)
    assert "is a pipe" in source.current().error
    assert source.current().config.spawn.maximum == Expression("3")
