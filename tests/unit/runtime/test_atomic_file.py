"""Files that are replaced whole, and what others put in their place."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plancton.runtime.atomic_file import AtomicFile, read_or_set_aside


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "kept").write_text("x")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("name", ["state.json", "state.new"])
@pytest.mark.parametrize("put", [_folder, _pipe])
def test_what_lies_in_the_place_of_a_file_gives_way(
    tmp_path: Path, name: str, put: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It is set aside, also where something else was set aside before, and said once each."""
    path = tmp_path / "state.json"
    for content in (b"1", b"2"):
        (tmp_path / name).unlink(missing_ok=True)
        put(tmp_path / name)
        AtomicFile(path, "lost").write(content)
        assert path.read_bytes() == content
    assert len(caplog.records) == 2
    aside = list(tmp_path.glob("*.unreadable*"))
    assert len(aside) == (2 if put is _folder else 1)
    assert not stat.S_ISREG(aside[0].lstat().st_mode)


def test_what_makes_no_sense_is_set_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither trusted nor overwritten; what is absent is no trouble."""
    path = tmp_path / "state.json"
    assert read_or_set_aside(path, 10, int, "all begins anew") is None
    assert not caplog.records
    path.write_text("seven")
    assert read_or_set_aside(path, 10, int, "all begins anew") is None
    assert path.with_suffix(".unreadable").read_text() == "seven"
    assert [record.message for record in caplog.records] == ["all begins anew"]


@contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """Let no file of this process become larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_old_content_and_no_part_of_the_new(tmp_path: Path) -> None:
    """Python ignores SIGXFSZ, so a write fails as it does on a full disk."""
    path = tmp_path / "state.json"
    file = AtomicFile(path, "lost")
    file.write(b"old")
    with _full_disk(1000):
        file.write(b"x" * 2000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    file.write(b"new")
    assert path.read_bytes() == b"new"
