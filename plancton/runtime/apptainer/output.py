"""The log of a pilot, to its end or as it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from plancton.runtime.apptainer.pilot_folder import PilotFolder
from plancton.runtime.apptainer.shim import LOG, OLDER_LOG

_POLL = 0.2
_PIECE = 65536


class PilotOutput(Iterator[bytes]):
    """Yields the last lines of a pilot's log and, to *follow*, what it writes until it ends."""

    def __init__(self, folder: PilotFolder, *, tail: int, follow: bool) -> None:
        """Begin with the last *tail* lines."""
        self._folder, self._follow, self._closed = folder, follow, False
        self._path: Path = folder.place / LOG
        self._file = self._path.open("rb") if self._path.exists() else None
        older = folder.place / OLDER_LOG
        text = older.read_bytes() if older.exists() else b""
        text += self._file.read() if self._file else b""
        self._first = b"".join(text.splitlines(keepends=True)[-tail:]) if tail else b""

    def __next__(self) -> bytes:
        first, self._first = self._first, b""
        if first:
            return first
        while self._follow and not self._closed:
            over = not self._folder.has_shim()
            piece = self._read()
            if piece:
                return piece
            if over:
                break
            time.sleep(_POLL)
        self.close()
        raise StopIteration

    def _read(self) -> bytes:
        """Return what is new; a file that was put aside is read to its end before the next."""
        if self._file is None:
            if not self._path.exists():
                return b""
            self._file = self._path.open("rb")
        piece = self._file.read(_PIECE)
        if not piece and not self._is_current(self._file):
            self._file.close()
            self._file = self._path.open("rb")
            piece = self._file.read(_PIECE)
        return piece

    def _is_current(self, file: BinaryIO) -> bool:
        try:
            return os.fstat(file.fileno()).st_ino == self._path.stat().st_ino
        except OSError:  # it has been removed
            return True

    def close(self) -> None:
        """End it."""
        self._closed = True
        if self._file is not None:
            self._file.close()
            self._file = None
