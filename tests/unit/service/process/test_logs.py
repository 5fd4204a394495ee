"""Log lines and log files."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from io import StringIO
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from plancton.service.process import logs
from plancton.service.process.logs import LineFormatter, Stderr, set_up


def test_a_log_line_is_one_line_with_key_value_pairs() -> None:
    """Whatever the values hold."""
    record = logging.LogRecord("plancton", logging.INFO, "", 0, "pilot\nended", None, None)
    record.fields = {"a": 1, "b": "x y", "c": 'q"', "d": "l1\nl2", "e": ""}
    line = LineFormatter(stamp=False).format(record)
    assert line == 'pilot\\nended a=1 b="x y" c="q\\"" d="l1\\nl2" e=""'


class FullDisk(StringIO):
    """Takes nothing."""

    def write(self, text: str) -> int:
        """Refuse *text*."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Return the logger that is set up, and put it back as it was."""
    logger = logging.getLogger("plancton")
    handlers, level = logger.handlers[:], logger.level
    yield logger
    for handler in logger.handlers[:]:
        handler.close()
        logger.removeHandler(handler)
    logger.handlers[:], logger.propagate = handlers, True
    logger.setLevel(level)
    logging.raiseExceptions = True


@pytest.mark.usefixtures("logger")
def test_a_log_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """And logging goes on to stderr."""
    (tmp_path / "file").write_text("")
    assert "there is no log file" in set_up("info", tmp_path / "file" / "plancton.log")
    assert set_up("info", tmp_path / "logs" / "plancton.log") == ""
    assert (tmp_path / "logs" / "plancton.log").exists()


def test_a_full_disk_is_said_once_and_that_it_is_over(
    logger: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, where all lines go meanwhile."""
    path = tmp_path / "plancton.log"
    assert set_up("info", path) == ""
    (file,) = (each for each in logger.handlers if isinstance(each, RotatingFileHandler))
    whole = file.setStream(FullDisk())  # type: ignore[arg-type]
    for number in range(3):
        logger.info("line %d", number)
    assert whole
    file.setStream(whole)
    logger.info("line 3")
    logger.info("line 4")
    said = [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()]
    error = f'cannot write the log file file={path} error="No space left on device"'
    over = f"the log file can be written again file={path}"
    assert sorted(said) == sorted([*(f"line {n}" for n in range(5)), error, over])


@pytest.mark.usefixtures("logger")
def test_a_log_file_that_is_gone_is_opened_anew(tmp_path: Path) -> None:
    """Moved, removed with its folder, or a disk that was not there at the start."""
    log, file = logging.getLogger("plancton"), tmp_path / "logs" / "plancton.log"
    (tmp_path / "logs").write_text("in the way")
    assert "there is no log file" in set_up("info", file, Stderr.NEVER)
    (tmp_path / "logs").unlink()
    log.info("first")
    file.rename(tmp_path / "moved")
    log.info("second")
    shutil.rmtree(tmp_path / "logs")
    log.info("third")
    assert "INFO first" in (tmp_path / "moved").read_text()
    assert "second" not in (tmp_path / "moved").read_text()
    assert "INFO third" in file.read_text()


@pytest.mark.usefixtures("logger")
def test_a_pipe_in_the_place_of_the_log_is_not_waited_for(tmp_path: Path) -> None:
    """It has no reader."""
    os.mkfifo(tmp_path / "plancton.log")
    assert "there is no log file" in set_up("info", tmp_path / "plancton.log", Stderr.NEVER)
    logging.getLogger("plancton").info("goes on")


def test_a_rotated_log_keeps_the_rights_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logger: logging.Logger
) -> None:
    """The first is for owner and group; what an administrator made of it stays."""
    monkeypatch.setattr(logs, "_MAX_BYTES", 100)
    file = tmp_path / "plancton.log"
    set_up("info", file, Stderr.NEVER)
    assert file.stat().st_mode & 0o777 == 0o640
    file.chmod(0o644)
    for _ in range(3):
        logger.info("x" * 90)
    assert file.with_name("plancton.log.2").exists()
    assert file.stat().st_mode & 0o777 == 0o644
