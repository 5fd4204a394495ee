"""Files that are replaced whole or not at all."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger("plancton")


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
