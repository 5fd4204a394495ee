"""Pilots that write, and disks that are full: on a daemon whose data lie on a small disk."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.docker.client import DockerClient
from tests.conftest import INSTANCE, remove_cgroups, until
from tests.e2e.daemon import Daemon
from tests.e2e.house import PILOT, House
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
MB = 10**6
UNGUARDED = {
    "disk": dict.fromkeys(
        ("stop_below", "evict_below", "stop_below_inodes", "evict_below_inodes"), "off"
    )
}
FILES = "i=0; while true 2>/dev/null > /f$i; do i=$((i + 1)); done; sleep 1000"
"""It stays when there are none left."""
BYTES = "while true; do dd if=/dev/zero bs=1M count=1 >> /f 2>/dev/null; sleep 0.2; done"


@contextmanager
def daemon_on(kind: str, archive: Path) -> Iterator[Daemon]:
    """Yield a daemon that has busybox, on a file system of its own."""
    with tempfile.TemporaryDirectory(prefix="plt-") as folder:
        made = Daemon(Path(folder, "d"), f"plt{os.getpid()}", live_restore=False)
        mount_small(kind, Path(folder, "image"), made.folder / "data")
        try:
            made.start()
            made.load(archive)
            yield made
        finally:
            made.close()
        remove_cgroups(f"plancton-{INSTANCE}")


def mount_small(kind: str, image: Path, at: Path) -> None:
    """Mount a small file system: in memory, or in a file."""
    at.mkdir()
    if kind == "tmpfs":
        options = "size=100m,nr_inodes=5k"
        subprocess.run(["mount", "-t", kind, "-o", options, kind, str(at)], check=True)
        return
    with image.open("wb") as file:
        file.truncate({"ext4": 120, "xfs": 320}[kind] * 2**20)
    subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(at)], check=True)


@pytest.fixture(params=["tmpfs", pytest.param("ext4", marks=pytest.mark.long)])
def daemon(request: pytest.FixtureRequest, archive: Path) -> Iterator[Daemon]:
    """Return a daemon on a small disk."""
    with daemon_on(request.param, archive) as made:
        yield made


@pytest.fixture
def small(archive: Path) -> Iterator[Daemon]:
    """Return a daemon on a small memory disk."""
    with daemon_on("tmpfs", archive) as made:
        yield made


@pytest.fixture
def look(daemon: Daemon) -> Iterator[DockerClient]:
    """Return a look at the daemon past Plancton."""
    client = DockerClient(daemon.url, timeout=30)
    yield client
    client.close()


def watch(house: House, met: Callable[[], object]) -> None:
    """Measure and tick until *met* holds."""

    def step() -> object:
        house.runtime.disk.measure()
        house.step()
        return met()

    until(step, 200, 0.3)


def ended(house: House) -> list[str]:
    """Return why pilots ended."""
    return [each.reason for each in house.latest.ended]


def guarded(**disk: Any) -> dict[str, Any]:
    """Return a protection of nothing but the disk."""
    return {"disk": {**UNGUARDED["disk"], "after": "1s", **disk}, "hold_after_eviction": "5min"}


def test_starts_on_a_full_disk_leave_nothing(daemon: Daemon, look: DockerClient) -> None:
    """No container stays in created, each try is said once, and the tries grow rare."""
    house = House(daemon, protect=UNGUARDED)
    full = daemon.folder / "data" / "somebody-elses"
    with suppress_full(), full.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MB))
    watch(house, lambda: house.latest.backoffs)
    # On a busy machine a start may time out; then it goes after half a minute.
    watch(house, lambda: {each["State"] for each in look.containers(all=True)} <= {"running"})
    failed = [each for each in house.latest.decisions if each.error]
    assert 0 < len(failed) < 5
    assert all("no space left on device" in each.error for each in failed)
    full.unlink()
    house.fill()
    house.runtime.close()


@contextmanager
def suppress_full() -> Iterator[None]:
    """Go on when the disk is full."""
    try:
        yield
    except OSError as error:
        assert error.errno == 28  # noqa: PT017 (the disk is meant to be full)


def test_who_fills_the_disk_goes_before_it_is_full(daemon: Daemon) -> None:
    """The pilot that writes is ended, with figures; the one that does not stays."""
    writer = {**PILOT, "name": "writer", "maximum": 1, "command": ["sh", "-c", BYTES]}
    quiet = {**PILOT, "name": "quiet", "maximum": 1}
    writer |= {"user": "0:0", "disk": "off"}
    protect = guarded(stop_below="40%", evict_below="30%")
    house = House(daemon, pilots=[writer, quiet], protect=protect)
    watch(house, lambda: house.latest.ended)
    (why,) = ended(house)
    assert "are free on Docker's disk, less than" in why
    assert "plancton-writer-" in why
    assert house.latest.ended[0].code == "full-disk"
    assert [pilot.profile for pilot in house.latest.pilots] == ["quiet"]
    watch(house, lambda: house.latest.host and house.latest.host.disk_free > 50 * MB)
    house.runtime.close()


def test_who_takes_all_inodes_goes_first(small: Daemon) -> None:
    """Gigabytes may be free then."""
    maker = {**PILOT, "command": ["sh", "-c", FILES], "user": "0:0", "maximum": 1}
    protect = guarded(stop_below_inodes="40%", evict_below_inodes="30%")
    house = House(small, pilots=[maker], protect=protect)
    watch(house, lambda: house.latest.ended)
    assert "% of the inodes are free on Docker's disk, less than 30 %" in ended(house)[0]
    watch(house, lambda: house.latest.host and house.latest.host.inodes_free > 3000)
    house.runtime.close()


def test_a_pilot_beyond_its_bound_goes(daemon: Daemon) -> None:
    """And its profile waits, with the reason."""
    writer = {**PILOT, "command": ["sh", "-c", BYTES], "user": "0:0", "disk": "20MB"}
    house = House(daemon, pilots=[writer], protect=UNGUARDED)
    watch(house, lambda: house.latest.ended)
    assert "more than its 20 MB" in ended(house)[0]
    assert house.latest.backoffs == 1
    house.runtime.close()


@pytest.mark.long
def test_a_disk_without_quota_stops_no_start(archive: Path) -> None:
    """Whether xfs has quotas shows only when one is asked for; this one has none."""
    with daemon_on("xfs", archive) as daemon:
        house = House(daemon, pilots=[{**PILOT, "disk": "20MB"}], protect=UNGUARDED)
        house.fill()
        assert house.runtime.info["Driver"] == "overlay2"
        assert [each.error for each in house.latest.decisions if each.error] == []
        assert not house.runtime.creator.disk_quota
        house.runtime.close()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[list[Path]]:
    """Return the folders of a service, each a small disk."""
    made = [tmp_path / name for name in ("run", "log", "state")]
    for folder in made:
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], check=True)
    yield made
    for folder in made:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with suppress_full(), file.open("ab", buffering=0) as open_file:
        while True:
            open_file.write(b"x" * 1000)


@pytest.mark.long
def test_full_folders_of_its_own_stop_nothing(folders: list[Path], service: Service) -> None:
    """Pilots start, verbs work, each loss is said once; then all is as before."""
    service.configure(pilot={"cpus": 0.5}, spawn={"maximum": 1, "min_room": 0.3})
    service.start()
    until(lambda: len(service.names()) == 1)
    for folder in folders:
        fill(folder / "filler")
    fill(folders[1] / "plancton.log")  # its last page
    for _ in range(2):
        service.ask("kill", "--all")
        until(lambda: len(service.names()) == 1)
    for folder in folders:
        (folder / "filler").unlink()
    for verb in ("freeze", "thaw"):
        assert service.run(verb, "--all").returncode == 0
    errors = service.log
    for said in ("cannot keep the history", "no machine/job features", "cannot write the log file"):
        assert errors.count(said) == 1, errors
    assert errors.count("the log file can be written again") == 1
    assert "pilot thawed" in (folders[1] / "plancton.log").read_text()
    assert (folders[2] / f"memory-{INSTANCE}.json").stat().st_size > 100
