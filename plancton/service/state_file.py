"""What the engine keeps, in a file."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plancton.engine.records.persistent_state import PersistentState
from plancton.runtime.atomic_file import AtomicFile, read_regular

log = logging.getLogger("plancton")
_LARGEST = 16_000_000
"""Bytes; a day of history and a ledger take some hundred thousand."""
_STATE: TypeAdapter[PersistentState] = TypeAdapter(PersistentState)


class StateFile:
    """Implements ``ports.StateStore`` on one file."""

    def __init__(self, path: Path) -> None:
        """Keep it at *path*."""
        self.path = path
        self._file = AtomicFile(path, "cannot keep the history and the ledger")

    def load(self) -> PersistentState:
        """Return what was saved last. An unreadable file is set aside, not overwritten."""
        try:
            return _STATE.validate_json(read_regular(self.path, _LARGEST))
        except FileNotFoundError:
            return PersistentState()
        except (OSError, ValidationError) as error:
            aside = self.path.with_suffix(".unreadable")
            with suppress(OSError):
                self.path.replace(aside)
            why = getattr(error, "strerror", None) or "it is no state of this version"
            fields = {"file": self.path, "error": why, "set_aside_as": aside}
            log.warning("history and ledger begin anew", extra={"fields": fields})
            return PersistentState()

    def peek(self) -> PersistentState:
        """Return what was saved last, changing nothing."""
        try:
            return _STATE.validate_json(read_regular(self.path, _LARGEST))
        except (OSError, ValidationError):
            return PersistentState()

    def save(self, state: PersistentState) -> None:
        """Replace the file by *state*."""
        self._file.write(_STATE.dump_json(state))
