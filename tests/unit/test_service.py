"""Locks, marker files, log lines, dead threads, and the load arithmetic."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plancton.engine.model.cpu_load import cpu_load, remember
from plancton.engine.model.node import HostSample
from plancton.engine.model.operator import Mode
from plancton.engine.records.persistent_state import PersistentState
from plancton.service.marker_files import MarkerFiles
from plancton.service.process.lock import Lock, LockedError, holder
from plancton.service.process.logs import LineFormatter, set_up
from plancton.service.process.supervisor import ThreadSupervisor
from plancton.service.state_file import StateFile
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


@pytest.mark.parametrize(
    ("orders", "mode", "after"),
    [
        ([], Mode.ACTIVE, Mode.ACTIVE),
        ([Mode.DRAINING], Mode.DRAINING, Mode.DRAINING),
        ([Mode.DRAINING, Mode.STOPPING], Mode.STOPPING, Mode.DRAINING),
        ([Mode.STOPPING, Mode.DRAINING], Mode.STOPPING, Mode.DRAINING),
        ([Mode.FORCED, Mode.STOPPING], Mode.FORCED, Mode.ACTIVE),
        ([Mode.DRAINING, Mode.STOPPING, Mode.ACTIVE], Mode.ACTIVE, Mode.ACTIVE),
        ([Mode.FORCED, Mode.ACTIVE, Mode.DRAINING], Mode.DRAINING, Mode.DRAINING),
    ],
)
def test_orders_add_up_and_resume_takes_all_back(
    tmp_path: Path, orders: list[Mode], mode: Mode, after: Mode
) -> None:
    """No request is lost; one that was carried out is forgotten, a plain drain stays."""
    markers = MarkerFiles(tmp_path / "run")
    for order in orders:
        markers.order(order)
    assert markers.mode() is mode
    markers.fulfilled(mode)
    assert markers.mode() is after


def test_a_log_line_is_one_line_with_key_value_pairs() -> None:
    """Whatever the values hold."""
    record = logging.LogRecord("plancton", logging.INFO, "", 0, "pilot\nended", None, None)
    record.fields = {"a": 1, "b": "x y", "c": 'q"', "d": "l1\nl2", "e": ""}
    line = LineFormatter(stamp=False).format(record)
    assert line == 'pilot\\nended a=1 b="x y" c="q\\"" d="l1\\nl2" e=""'


def test_a_log_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """And logging goes on to stderr."""
    (tmp_path / "file").write_text("")
    handlers = logging.getLogger("plancton").handlers[:]
    try:
        assert "there is no log file" in set_up("info", tmp_path / "file" / "plancton.log")
        assert set_up("info", tmp_path / "logs" / "plancton.log") == ""
        assert (tmp_path / "logs" / "plancton.log").exists()
    finally:
        logger = logging.getLogger("plancton")
        for handler in logger.handlers[:]:
            handler.close()
            logger.removeHandler(handler)
        logger.handlers[:] = handlers
        logger.propagate = True
        logging.raiseExceptions = True


def test_a_memory_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk stops nothing."""
    (tmp_path / "file").touch()
    state_store = StateFile(tmp_path / "file" / "memory.json")
    for _ in range(3):
        state_store.save(PersistentState())
    said = [r.message for r in caplog.records]
    assert said.count("cannot keep the history and the ledger") == 1


def test_a_dead_thread_is_seen() -> None:
    """Its error is kept, and whoever waits is told."""
    supervisor = ThreadSupervisor()

    def die() -> None:
        raise RuntimeError("broken")

    supervisor.start("engine", die)
    assert supervisor.any_ended.wait(5)
    assert "engine thread died: RuntimeError('broken')" in supervisor.failure


def sample(at: float, busy: float, own: float | None, ncpus: int = 4) -> HostSample:
    """Return a sample."""
    return HostSample(at, ncpus, busy, own)


@pytest.mark.parametrize(
    ("samples", "promised", "expected"),
    [
        ([], 0, None),
        ([sample(0, 0, 0)], 0, None),
        ([sample(0, 0, 0), sample(0.4, 1, 0)], 0, None),
        ([sample(0, 0, 0), sample(10, 20, 10)], 0, (1.0, 1.0, 2.0)),
        ([sample(0, 5, 5), sample(10, 45, 45)], 0, (0.0, 4.0, 0.0)),
        ([sample(0, 0, 9), sample(10, 10, 3)], 0, (1.0, 0.0, 3.0)),
        ([sample(0, 0, 0), sample(10, 10, 12)], 0, (0.0, 1.0, 3.0)),
        ([sample(0, 0, None), sample(10, 30, None)], 2, (1.0, 2.0, 1.0)),
        ([sample(0, 0, None), sample(10, 10, None)], 2, (0.0, 1.0, 3.0)),
        ([sample(0, 9, 0), sample(10, 0, 0)], 0, (0.0, 0.0, 4.0)),
    ],
)
def test_who_used_the_cores(
    samples: list[HostSample], promised: float, expected: tuple[float, float, float] | None
) -> None:
    """Foreground is what is busy and not ours; never negative, never more than there is."""
    load = cpu_load(tuple(samples), promised)
    got = load and (load.foreground, load.own, load.idle)
    assert got == (expected and pytest.approx(expected))


def test_the_window_slides_and_stays_small() -> None:
    """Woken a hundred times a second it keeps a handful of samples, spanning the window."""
    kept: tuple[HostSample, ...] = ()
    for i in range(10_000):
        kept = remember(kept, sample(i / 100, i / 100, 0))
    assert len(kept) <= 25
    assert 10 <= kept[-1].at - kept[0].at < 11
    assert len(remember(kept, sample(101, 0, 0, ncpus=8))) == 1
