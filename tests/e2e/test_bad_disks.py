"""Files that are not what they should be, and disks that fill, vanish or refuse to be written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service, remove_at_once

pytestmark = pytest.mark.docker


def truncated(path: Path) -> None:
    """Put there a file that was cut in the middle."""
    path.write_text('{"history": {"levels": [[')


def foreign(path: Path) -> None:
    """Put there a file of some other program."""
    path.write_text('["of another program", {"version": 9}]')


def binary(path: Path) -> None:
    """Put there what is no text."""
    path.write_bytes(b"\x7fELF\xff\xfe" * 1000)


def empty(path: Path) -> None:
    """Put there a file that was not written before the power failed."""
    path.touch()


def huge(path: Path) -> None:
    """Put there a gigabyte, sparse."""
    with path.open("wb") as file:
        file.truncate(10**9)


def pipe(path: Path) -> None:
    """Put there a pipe that nobody writes into or reads from."""
    os.mkfifo(path)


def folder(path: Path) -> None:
    """Put there a folder with something in it."""
    path.mkdir()
    (path / "x").touch()


def loop(path: Path) -> None:
    """Put there a link to itself."""
    path.symlink_to(path)


BAD_FILES: tuple[Callable[[Path], None], ...] = (
    truncated, foreign, binary, empty, huge, pipe, folder, loop
)  # fmt: skip
LONG = [
    pytest.param(put, marks=() if put in (truncated, pipe) else pytest.mark.long)
    for put in BAD_FILES
]


def state_files(service: Service) -> list[Path]:
    """Return all that a service may keep: what it remembers, the remote text, metrics."""
    names = ("memory", "remote", "metrics")
    kinds = {"metrics": "-influxdb-0"}
    folder = service.folder / "state"
    return [folder / f"{name}-{service.instance}{kinds.get(name, '')}.json" for name in names]


def remove(path: Path) -> None:
    """Remove whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("put", LONG)
def test_bad_state_is_set_aside_at_the_start_and_while_it_runs(
    service: Service, containers: Containers, put: Callable[[Path], None]
) -> None:
    """One sentence for each, pilots run, and what is written at the end is good again."""
    nowhere = "http://127.0.0.1:9"
    monitor = {"influxdb": [f"{nowhere}#x"], "keep_on_disk": True, "interval": "1s"}
    service.configure(monitor=monitor, remote={"url": f"{nowhere}/x.yaml", "allow_http": True})
    (service.folder / "state").mkdir()
    for path in state_files(service):
        put(path)
    service.start()
    for path in state_files(service):
        until(lambda: path.name in service.log)  # noqa: B023 (now)
    assert len(list((service.folder / "state").glob("*.unreadable"))) == 3
    for path in state_files(service):
        for place in (path, path.with_suffix(".new")):
            remove(place)
            put(place)
    service.process.send_signal(signal.SIGHUP) if service.process else None
    until(lambda: service.status()["reloads"])
    assert service.stop() == 0
    assert "Traceback" not in service.log
    service.configure()
    service.start()
    until(service.names)
    assert service.status()["ledger"]["total"]["seconds"] > 0
    assert service.stop() == 0


FOLDERS = ("state", "log", "run")


@pytest.fixture
def on_disks(service: Service) -> Iterator[Service]:
    """Return a running service with a pilot, each of whose folders is a disk of 200 kB."""
    for name in FOLDERS:
        mount(service.folder / name)
    service.configure(spawn={"maximum": 1, "short_life": 0})
    service.start()
    until(service.names)
    yield service
    service.close()
    for name in FOLDERS:
        unmount(service.folder / name)


def mount(disk: Path) -> None:
    """Mount an empty disk."""
    disk.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    subprocess.run(["mount", *options], check=True)


def unmount(disk: Path) -> None:
    """Have a disk vanish, whoever uses it."""
    subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)


def log_file(service: Service) -> str:
    """Return the log file as it is now."""
    path = service.folder / "log" / "plancton.log"
    return path.read_text() if path.exists() else ""


def goes_on(service: Service, containers: Containers, maximum: int) -> None:
    """Check that it obeys a changed configuration, and replaces its pilots."""
    for victim in containers.ids():
        containers.client.kill(victim)
    service.configure(spawn={"maximum": maximum, "short_life": 0, "min_room": 0.3})
    until(lambda: len(containers.ids()) == maximum)


def fill(disk: Path) -> None:
    """Leave not a byte."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_full_disks_stop_nothing(on_disks: Service, containers: Containers) -> None:
    """It goes on, answers, and with room the log goes on too."""
    for name in FOLDERS:
        fill(on_disks.folder / name)
    goes_on(on_disks, containers, 2)
    on_disks.ask("status")
    assert on_disks.run("drain").returncode in (0, 1)
    for name in FOLDERS:
        (on_disks.folder / name / "filler").unlink()
    on_disks.ask("resume")
    goes_on(on_disks, containers, 1)
    until(lambda: "revision=3" in log_file(on_disks))
    assert on_disks.stop() == 0
    assert list((on_disks.folder / "state").glob("memory-*.json"))
    assert "Traceback" not in on_disks.log


def test_folders_that_vanish_stop_nothing(service: Service, containers: Containers) -> None:
    """They are made again, and the log goes on there."""
    service.configure(spawn={"maximum": 1, "short_life": 0})
    (service.folder / "state").mkdir()  # it is written when the engine ends
    service.start()
    until(service.names)
    for name in ("state", "log"):
        remove_at_once(service.folder / name)
    goes_on(service, containers, 2)
    until(lambda: "revision=2" in log_file(service))
    assert service.stop() == 0
    assert list((service.folder / "state").glob("memory-*.json"))
    assert "Traceback" not in service.log


def test_disks_that_are_read_only_stop_nothing(service: Service, containers: Containers) -> None:
    """As a disk becomes after errors: each loss is one sentence."""
    try:
        for name in ("state", "log"):
            mount(service.folder / name)
            remount = ["mount", "-o", "remount,ro", str(service.folder / name)]
            subprocess.run(remount, check=True)
        service.start()
        goes_on(service, containers, 1)
        assert service.stop() == 0
        assert service.log.count("cannot keep the history and the ledger") == 1
        assert service.log.count("there is no log file") == 1
        assert "Traceback" not in service.log
    finally:
        service.close()
        for name in ("state", "log"):
            unmount(service.folder / name)
