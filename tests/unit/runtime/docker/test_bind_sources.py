"""Binds are looked at before Docker is asked to mount them."""

from __future__ import annotations

import errno
import os
import socket
import threading
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
from tests.conftest import until


def test_volumes_are_no_paths() -> None:
    """And a path is taken as Docker takes it."""
    assert paths_of(("/a/../b//:/x", "cache:/y")) == ["/b"]


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
        sources.resolved(profile, viewer)
    with pytest.raises(ActionError, match=f"profile p: {tmp_path}/x does not exist on this node"):
        sources.resolved(profile, str(os.getpid()))


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Return a folder of the node with allowed folders, secrets, and links that lead to them."""
    for name in ("scratch/sub", "sw/v1", "secret", "disk/own"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "scratch/planted").symlink_to("../secret")
    (tmp_path / "sw/current").symlink_to("v1")
    (tmp_path / "sw/out").symlink_to(tmp_path / "secret")
    (tmp_path / "own").symlink_to("disk/own")
    return tmp_path


def bound(node: Path, *binds: str, viewer: str | None = None, running: str = "") -> list[str]:
    """Return the binds of a remote profile as they are mounted, with the node's folder cut off.

    Allowed are ``scratch`` and ``own``, and ``sw`` for reading; *running* is what a pilot writes.
    """
    folders = (f"{node}/scratch", f"{node}/own", f"{node}/sw:ro")
    profile = Profile(name="p", binds=tuple(f"{node}/{bind}" for bind in binds))
    sources = BindSources(PathProbe(60))
    mounts = [{"Source": f"{node}/{running}", "RW": True}]
    sources.note_pilots(
        [
            {"State": "running", "Mounts": mounts if running else None},
            {"State": "exited", "Mounts": [{"Source": str(node), "RW": True}]},
        ]
    )
    found = sources.resolved(profile.bound_within(folders), viewer or str(os.getpid()))
    return [each.removeprefix(f"{node}/") for each in found.binds]


@pytest.mark.parametrize(
    ("bind", "mounted"),
    [
        ("scratch:/x:rw", "scratch:/x:rw"),
        ("scratch/sub:/x:ro,rslave", "scratch/sub:/x:ro,rslave"),
        ("sw/current:/x", "sw/v1:/x"),
        ("own:/x:rw", "disk/own:/x:rw"),
    ],
)
def test_a_remote_profile_gets_what_is_allowed(node: Path, bind: str, mounted: str) -> None:
    """By its real path, so that no link decides later what is mounted."""
    assert bound(node, bind) == [mounted]


@pytest.mark.parametrize(
    ("binds", "running", "words"),
    [
        (["scratch/planted:/x"], "", "/scratch/planted:/x leads to .*/secret by a link below .*/s"),
        (["sw/out:/x"], "", "sw/out:/x leads to .*/secret, out of .*/sw"),
        (["scratch/sub:/x"], "scratch", "scratch/sub:/x lies below .*/scratch, which pilots may"),
        (["scratch/sub:/x", "scratch:/y:rw"], "", "sub:/x lies below .*/scratch, which pilots may"),
        (["sw/none:/x"], "", "sw/none does not exist"),
    ],
)
def test_a_remote_profile_gets_nothing_else(
    node: Path, binds: list[str], running: str, words: str
) -> None:
    """Not by a link, nor by one that a pilot could make between the look and the mount."""
    with pytest.raises(ActionError, match=f"^profile p: .*{words}"):
        bound(node, *binds, running=running)


def test_pilots_may_write_beside_each_other(node: Path) -> None:
    """Who writes a folder can replace neither it nor what lies above."""
    assert bound(node, "scratch:/x", running="scratch/sub") == ["scratch:/x"]
    assert bound(node, "scratch/sub:/x:rw", running="scratch/sub") == ["scratch/sub:/x:rw"]


def test_started_pilots_write_before_they_are_listed(node: Path) -> None:
    """Several start in one tick."""
    sources, viewer = BindSources(PathProbe(60)), str(os.getpid())
    folders = (f"{node}/scratch",)
    writer = Profile(binds=(f"{node}/scratch:/x:rw",)).bound_within(folders)
    reader = Profile(binds=(f"{node}/scratch/sub:/x",)).bound_within(folders)
    sources.resolved(reader, viewer)
    sources.resolved(writer, viewer)
    with pytest.raises(ActionError, match="which pilots may write"):
        sources.resolved(reader, viewer)


def test_where_nothing_can_be_seen_only_allowed_folders_themselves_are_mounted(
    node: Path,
) -> None:
    """From inside of a container, for example."""
    folders = (f"{node}/scratch", f"{node}/scratch/sub", "/nowhere")
    sources = BindSources(PathProbe(60))
    for viewer in (None, OURS):
        for good in ("/nowhere:/x:rw", "volume:/x"):
            profile = Profile(binds=(good,)).bound_within(folders)
            assert sources.resolved(profile, viewer).binds == (good,)
        below = Profile(binds=("/nowhere/x:/x",)).bound_within(folders)
        with pytest.raises(ActionError, match="/nowhere/x:/x: where it leads cannot be seen"):
            sources.resolved(below, viewer)
    inner = Profile(binds=(f"{node}/scratch/sub:/x",)).bound_within(folders)
    with pytest.raises(ActionError, match="cannot be seen"):
        sources.resolved(inner, None)


def test_the_administrators_own_binds_may_lead_anywhere(node: Path) -> None:
    """The local file is trusted, and taken as it is written."""
    profile = Profile(binds=(f"{node}/sw/out:/x:rw", f"{node}/scratch/planted/:/y"))
    assert BindSources(PathProbe(60)).resolved(profile, str(os.getpid())) == profile


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


def remote(node: Path, bind: str) -> Profile:
    """Return a profile of a remote configuration with a bind below ``scratch``."""
    return Profile(binds=(f"{node}/{bind}",)).bound_within((f"{node}/scratch",))


def test_nobody_starts_who_could_replace_what_is_being_mounted(node: Path) -> None:
    """A writer waits until the mount is made; one who writes elsewhere does not."""
    sources, viewer = BindSources(PathProbe(60)), str(os.getpid())
    begun, mounted = threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        with sources.mounted("writer", remote(node, "scratch:/x:rw"), viewer):
            mounted.set()

    writer = threading.Thread(target=write)
    with sources.mounted("reader", remote(node, "scratch/sub:/x"), viewer):
        with sources.mounted("other", remote(node, "scratch/sub:/x:rw"), viewer):
            pass
        writer.start()
        assert begun.wait(20)
        until(lambda: "writer" in sources._promised)
        assert not mounted.is_set()
    assert mounted.wait(20)
    writer.join()


def test_what_a_starting_pilot_will_write_is_known_until_it_is_listed(node: Path) -> None:
    """A listing from before its start does not make it forgotten; a failed start does."""
    sources, viewer = BindSources(PathProbe(60)), str(os.getpid())
    reader = remote(node, "scratch/sub:/x")
    with (
        pytest.raises(OSError, match="no"),
        sources.mounted("w", remote(node, "scratch:/x:rw"), viewer),
    ):
        raise OSError("no")
    with sources.mounted("r", reader, viewer):
        pass
    with sources.mounted("w", remote(node, "scratch:/x:rw"), viewer):
        pass
    sources.note_pilots([])
    with (
        pytest.raises(ActionError, match="which pilots may write"),
        sources.mounted("r", reader, viewer),
    ):
        pass
    sources.note_pilots([{"State": "exited", "Names": ["/w"], "Mounts": None}])
    with sources.mounted("r", reader, viewer):
        pass
