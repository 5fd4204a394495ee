"""Files that are replaced whole or not at all."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

log = logging.getLogger("plancton")


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


class AtomicFile:
    """Is replaced whole or not at all; a failure (a full disk) is logged once."""

    def __init__(self, path: Path, what: str) -> None:
        """Write to *path*; *what* says what is lost if that fails."""
        self.path, self.what, self._failed = path, what, False

    def write(self, content: bytes) -> None:
        """Replace the content."""
        new = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # It may hold pilots' last log lines, which are not for everybody.
            with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o640)) as file:
                file.write(content)
            new.replace(self.path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                fields = {"file": self.path, "error": error.strerror}
                log.warning(self.what, extra={"fields": fields})
            self._failed = True
