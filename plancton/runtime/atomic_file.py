"""Files that are replaced whole or not at all, and what lies in their place otherwise."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from plancton.runtime.file_modes import GROUP_FOLDER, PRIVATE, make_folder, mode_of, opener

log = logging.getLogger("plancton")
T = TypeVar("T")


def read_regular(path: Path, largest: int) -> bytes:
    """Return a file's content; OSError if it is no regular file, or larger than *largest* bytes.

    Whatever lies there in its place, this neither waits nor fills the memory.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        if status.st_size > largest:
            raise OSError(errno.EFBIG, f"is larger than {largest} bytes", str(path))
        return file.read(largest + 1)


def read_or_set_aside(path: Path, largest: int, parse: Callable[[bytes], T], lost: str) -> T | None:
    """Return what *parse* makes of a file; None if it is absent, or had to be set aside.

    What cannot be read, or parsed (ValueError), is neither trusted nor overwritten: it is moved
    out of the way, and the log says so with what is *lost*.
    """
    try:
        return parse(read_regular(path, largest))
    except FileNotFoundError:
        return None
    except OSError as error:
        _set_aside(path, lost, error.strerror or str(error))
    except ValueError:
        _set_aside(path, lost, "it is no state of this version")
    return None


def _set_aside(path: Path, lost: str, why: str) -> None:
    aside = path.with_suffix(".unreadable")
    fields: dict[str, object] = {"file": path, "error": why}
    try:
        if aside.is_dir():  # it cannot be replaced
            aside = path.with_suffix(f".unreadable-{time.time_ns()}")
        path.replace(aside)
        fields["set_aside_as"] = aside
    except OSError as error:
        fields["stays"] = error.strerror
    log.warning(lost, extra={"fields": fields})


class AtomicFile:
    """Is replaced whole or not at all; a failure (a full disk) is logged once."""

    def __init__(self, path: Path, what: str) -> None:
        """Write to *path*; *what* says what is lost if that fails."""
        self.path, self.what, self._failed = path, what, False

    def write(self, content: bytes) -> None:
        """Replace the content."""
        new = self.path.with_suffix(".new")
        try:
            make_folder(self.path.parent, GROUP_FOLDER)
            for place in (new, self.path):
                _make_way(place)
            new.unlink(missing_ok=True)  # a part that was left when it was killed
            # It may hold pilots' last log lines, which are not for everybody.
            with open(new, "xb", opener=opener(PRIVATE)) as file:
                os.fchmod(file.fileno(), mode_of(self.path, PRIVATE))
                file.write(content)
            new.replace(self.path)
            self._failed = False
        except OSError as error:
            with suppress(OSError):
                new.unlink()  # a part of it would only fill the disk
            if not self._failed:
                fields = {"file": self.path, "error": error.strerror}
                log.warning(self.what, extra={"fields": fields})
            self._failed = True


def _make_way(path: Path) -> None:
    """Set aside a folder or a pipe that somebody put in the place of a file."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            _set_aside(path, "something lay in the place of a file", "is no regular file")
