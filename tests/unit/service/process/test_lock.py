"""Locks name their holders."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plancton.service.process.lock import Lock, LockedError, holder
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
