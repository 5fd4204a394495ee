"""Files that are replaced whole or not at all."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plancton.engine.memory import Memory

log = logging.getLogger("plancton")
_MEMORY: TypeAdapter[Memory] = TypeAdapter(Memory)


class WholeFile:
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


class MemoryFile:
    """Implements ``ports.Keeper`` on one file."""

    def __init__(self, path: Path) -> None:
        """Keep it at *path*."""
        self.path = path
        self._file = WholeFile(path, "cannot keep the history and the ledger")

    def load(self) -> Memory:
        """Return what was saved last. An unreadable file is set aside, not overwritten."""
        try:
            return _MEMORY.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Memory()
        except (OSError, ValidationError) as error:
            aside = self.path.with_suffix(".unreadable")
            with suppress(OSError):
                self.path.replace(aside)
            why = getattr(error, "strerror", None) or "it is no state of this version"
            fields = {"file": self.path, "error": why, "set_aside_as": aside}
            log.warning("history and ledger begin anew", extra={"fields": fields})
            return Memory()

    def peek(self) -> Memory:
        """Return what was saved last, changing nothing."""
        try:
            return _MEMORY.validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return Memory()

    def save(self, memory: Memory) -> None:
        """Replace the file by *memory*."""
        self._file.write(_MEMORY.dump_json(memory))
