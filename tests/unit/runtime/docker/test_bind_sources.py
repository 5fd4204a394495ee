"""Binds are looked at before Docker is asked to mount them."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from plancton.config.schema import Profile
from plancton.engine.ports import ActionError
from plancton.runtime.docker.bind_sources import (
    OURS,
    BindSources,
    paths_of,
    trouble_of,
    viewer_of,
)
from plancton.runtime.path_probe import PathProbe, Place


def test_volumes_are_no_paths() -> None:
    """And a path is taken as Docker takes it."""
    assert paths_of(Profile(binds=("/a/../b//:/x", "cache:/y"))) == ["/b"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0, ""),
        (errno.EACCES, ""),
        (errno.ENOENT, "/a does not exist on this node; create it, or correct binds"),
        (errno.ENOTDIR, "/a does not exist on this node; create it, or correct binds"),
        (errno.ENOTCONN, "endpoint is not connected; umount -l /a, and mount it again"),
        (errno.EIO, "/a: Input/output error"),
    ],
)
def test_trouble_is_said_with_what_to_do(error: int, words: str) -> None:
    """Where Docker may look and we may not, there is none."""
    found = trouble_of("/a", Place("/a", error))
    assert words in found
    assert bool(found) == bool(words)


def test_a_missing_source_is_refused_where_our_view_is_dockers(tmp_path: Path) -> None:
    """Elsewhere Docker judges: it may see what we do not."""
    sources = BindSources(PathProbe(60))
    profile = Profile(name="p", binds=(f"{tmp_path}/x:/x:rw,Z",))
    for viewer in (None, OURS):
        sources.check(profile, viewer)
    with pytest.raises(ActionError, match=f"profile p: {tmp_path}/x does not exist on this node"):
        sources.check(profile, str(os.getpid()))


def test_whose_view_is_dockers(tmp_path: Path) -> None:
    """That of who listens on its socket, if it holds Docker's data."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        url = f"unix://{tmp_path}/s"
        mine = viewer_of(url, {"DockerRootDir": str(tmp_path)})
        assert mine is not None
        assert mine.isdecimal()
        assert viewer_of(url, {"DockerRootDir": f"{tmp_path}/elsewhere"}) is None
        assert viewer_of(url, {}) is None
    assert viewer_of("tcp://1.2.3.4:2375", {"DockerRootDir": str(tmp_path)}) is None
