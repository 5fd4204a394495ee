"""The log as an operator reads it: one line an event, the message and then key=value."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from enum import Enum
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from plancton.runtime.file_modes import GROUP, GROUP_FOLDER, make_folder, mode_of, opener

log = logging.getLogger("plancton")

_MAX_BYTES, _FILES = 10_000_000, 5


class LineFormatter(logging.Formatter):
    """``2026-01-31T12:00:00+0100 INFO pilot started pilot=… reason="…"``."""

    default_time_format = "%Y-%m-%dT%H:%M:%S%z"
    default_msec_format = ""

    def __init__(self, *, stamp: bool = True) -> None:
        """With *stamp* false the time is left out: the journal has its own."""
        super().__init__("%(asctime)s %(levelname)s %(message)s" if stamp else "%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Append the record's fields; every value stays on the one line."""
        fields: dict[str, object] = getattr(record, "fields", {})
        line = super().formatMessage(record)
        return " ".join([_one_line(line), *(f"{k}={_value(v)}" for k, v in fields.items())])


def _one_line(text: str) -> str:
    """Return *text* with what is not printable escaped: the log is read on terminals."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def _value(value: object) -> str:
    text = str(value)
    plain = text and not any(c.isspace() or c in "\"'=\\" or not c.isprintable() for c in text)
    return text if plain else _one_line(json.dumps(text, ensure_ascii=False))


class Stderr(Enum):
    """When stderr is logged to."""

    ALWAYS = True
    FALLBACK = False
    """Only if the file cannot be written."""
    NEVER = None


def set_up(level: str, file: Path | None, stderr: Stderr = Stderr.ALWAYS) -> str:
    """Log to stderr, and to a rotating *file*; returns why the file cannot be written, or ""."""
    logging.raiseExceptions = False  # a full disk must not end the engine
    root = logging.getLogger("plancton")
    root.setLevel(level.upper())
    root.propagate = False
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    problem = _add_file(root, file) if file else ""
    if stderr is Stderr.ALWAYS or (problem and stderr is Stderr.FALLBACK):
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(LineFormatter(stamp="JOURNAL_STREAM" not in os.environ))
        root.addHandler(console)
    return problem


class _LogFile(RotatingFileHandler):
    """A rotating file; that it cannot be written is said once, where else the log goes.

    It is opened anew when it has been moved or removed, or its disk has come back. It is for its
    owner and group, whatever the umask; a new one has the rights of the one before.
    """

    _failing = _failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, and say when the first one was written again."""
        self._failed = False
        with suppress(OSError):  # what cannot be opened is tried again with the next record
            if self.stream is not None and not self._has_the_name(self.stream):
                self.open_anew()
        super().emit(record)
        if self._failing and not self._failed:
            self._failing = False
            fields = {"file": self.baseFilename}
            log.info("the log file can be written again", extra={"fields": fields})

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """Take note of the error under way, and say it if it is the first one."""
        self._failed = True
        if not self._failing:
            self._failing = True
            error = sys.exc_info()[1]
            fields = {"file": self.baseFilename, "error": getattr(error, "strerror", error)}
            log.warning("cannot write the log file", extra={"fields": fields})

    def open_anew(self) -> None:
        """Let go of the file that is open, and open the one that has the name now."""
        old, self.stream = self.stream, None
        if old is not None:
            with suppress(OSError):  # the rest of what did not fit on a full disk
                old.close()
        self.stream = self._open()

    def _has_the_name(self, stream: TextIOWrapper) -> bool:
        try:
            named = Path(self.baseFilename).stat()
            return os.path.samestat(named, os.fstat(stream.fileno()))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _open(self) -> TextIOWrapper:
        """Open it; a pipe without a reader in its place is an error, and is not waited for."""
        path = Path(self.baseFilename)
        make_folder(path.parent, GROUP_FOLDER)
        create = opener(mode_of(Path(f"{path}.1"), GROUP), os.O_NONBLOCK)
        descriptor = create(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return os.fdopen(descriptor, "a", encoding="utf-8")


def _add_file(root: logging.Logger, file: Path) -> str:
    """Log to *file*, now or as soon as that can be; returns why it cannot be now."""
    rotating = _LogFile(file, maxBytes=_MAX_BYTES, backupCount=_FILES, delay=True)
    rotating.setFormatter(LineFormatter())
    root.addHandler(rotating)
    try:
        rotating.open_anew()
    except OSError as error:
        return f"{file}: {error.strerror}; there is no log file"
    return ""
