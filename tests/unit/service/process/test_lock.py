"""Locks name their holders."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plancton.service.process.lock import Lock, LockedError, holder
from plancton.service.process.name_lock import NameLock
from tests.conftest import until


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    """Also when the holder is killed, and its file and a reused PID stay behind."""
    path = tmp_path / "x.lock"
    code = "import pathlib, sys, time; from plancton.service.process.lock import Lock; "
    code += "lock = Lock(pathlib.Path(sys.argv[1])).acquire(); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(path)])
    until(lambda: holder(path) == child.pid)
    with pytest.raises(LockedError) as caught:
        Lock(path).acquire()
    assert caught.value.pid == child.pid
    child.kill()
    child.wait()
    path.write_text(f"{os.getpid()}\n")
    assert holder(path) is None
    with Lock(path):
        assert holder(path) == os.getpid()
    assert holder(path) is None
    assert holder(tmp_path / "none") is None


def test_a_start_waits_for_a_reaper_and_for_one_who_only_looks(tmp_path: Path) -> None:
    """Neither is an engine: no start is refused because of them."""
    path = tmp_path / "x.lock"
    for named in (False, True):
        reaper = Lock(path, named=named).acquire()
        assert holder(path) == (os.getpid() if named else None)
        threading.Timer(0.2, reaper.release).start()
        with Lock(path):
            assert holder(path) == os.getpid()


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path) -> None:
    """In place of no file, of the folder, and of another's file when that is free."""
    path = tmp_path / "run" / "x.lock"
    with Lock(path) as lock:
        assert lock.in_place
        for gone in (path, path.parent):
            gone.unlink() if gone.is_file() else shutil.rmtree(gone)
            assert not lock.in_place
            assert holder(path) is None
            lock.renew()
            assert lock.in_place
            assert holder(path) == os.getpid()
        path.unlink()
        with Lock(path), pytest.raises(LockedError):
            lock.renew()
        assert not lock.in_place
        lock.renew()
        assert lock.in_place
    assert holder(path) is None


HOLD = """
import os, pathlib, sys, time
from plancton.service.process.name_lock import NameLock
os.setuid(int(sys.argv[2]))
with NameLock(sys.argv[1], pathlib.Path("x.lock")):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def hold() -> Iterator[Callable[[int], tuple[str, int]]]:
    """Return what has a user's process hold a name; it returns the name and the PID."""
    children: list[subprocess.Popen[str]] = []

    def held_by(user: int) -> tuple[str, int]:
        name = f"plancton-test-{os.getpid()}-{user}"
        command = [sys.executable, "-c", HOLD, name, str(user)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        return name, child.pid

    yield held_by
    for child in children:
        child.kill()
        child.communicate()


def test_a_name_has_one_holder_and_is_free_with_its_end(
    hold: Callable[[int], tuple[str, int]],
) -> None:
    """However often it is asked for meanwhile."""
    name, pid = hold(os.geteuid())
    for _ in range(50):
        with pytest.raises(LockedError) as caught, NameLock(name, Path("x.lock")):
            pass
        assert caught.value.pid == pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with NameLock(name, Path("x.lock")):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_cannot_keep_an_engine_from_starting(
    hold: Callable[[int], tuple[str, int]],
) -> None:
    """Anyone may take any name; only this user's holder counts, and root's."""
    name, _ = hold(65534)
    with NameLock(name, Path("x.lock")):
        pass


def test_a_pipe_in_the_place_of_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    """It has no writer, and nobody holds it."""
    os.mkfifo(tmp_path / "x.lock")
    assert holder(tmp_path / "x.lock") is None
