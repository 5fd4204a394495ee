"""Where paths lead."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from plancton.runtime.path_facts import facts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root with files and links; the outside of it has a file of the same name."""
    root = tmp_path / "root"
    (root / "data/deep").mkdir(parents=True)
    (root / "data/file").touch()
    (root / "etc").mkdir()
    (root / "data/up").symlink_to("../etc")
    (root / "data/abs").symlink_to("/etc")
    (root / "data/out").symlink_to("../../../../../../../../data/deep")
    (root / "alias").symlink_to("data")
    (root / "data/loop").symlink_to("loop")
    (root / "data/dangling").symlink_to("/nowhere/at/all")
    return root


@pytest.mark.parametrize(
    ("path", "real", "error"),
    [
        ("/", "/", 0),
        ("/data", "/data", 0),
        ("/data/file", "/data/file", 0),
        ("//data//deep/./", "/data/deep", 0),
        ("/data/up", "/etc", 0),
        ("/data/abs", "/etc", 0),
        ("/data/out", "/data/deep", 0),
        ("/alias/abs/../deep", "/data/deep", 0),
        ("/alias/deep", "/data/deep", 0),
        ("/data/abs/../x", "/data/x", errno.ENOENT),
        ("/data/dangling", "/nowhere/at/all", errno.ENOENT),
        ("/data/file/x", "/data/file/x", errno.ENOTDIR),
        ("/data/loop", "/data/loop", errno.ELOOP),
    ],
)
def test_links_are_followed_below_a_root(root: Path, path: str, real: str, error: int) -> None:
    """Absolute ones too, and none leads out of it. ``..`` is taken as written, as Docker does."""
    assert facts(str(root), path) == (real, error)


def test_by_our_own_root_a_path_leads_where_it_does_for_everybody(root: Path) -> None:
    """As the standard library has it."""
    for place in ("data/up", "alias/deep", "data/file"):
        assert facts("/proc/self/root", f"{root}/{place}") == (str((root / place).resolve()), 0)
