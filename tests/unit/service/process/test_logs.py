"""Log lines and log files."""

from __future__ import annotations

import logging
from pathlib import Path

from plancton.service.process.logs import LineFormatter, set_up


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
