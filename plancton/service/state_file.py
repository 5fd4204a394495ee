"""What outlives the engine, in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from plancton.engine.model.pulled_image import PulledImage
from plancton.engine.records.persistent_state import PersistentState
from plancton.runtime.atomic_file import AtomicFile, read_or_set_aside, read_regular

_LARGEST = 16_000_000
"""Bytes; a day of history and a ledger take some hundred thousand."""
_T = TypeVar("_T")


class RecordFile(Generic[_T]):
    """One record in one file, replaced whole."""

    def __init__(self, path: Path, adapter: TypeAdapter[_T], empty: _T, what: str) -> None:
        """Keep it at *path*; *what* it is, in words; *empty* where there is none yet."""
        self.path, self._adapter, self._empty, self._what = path, adapter, empty, what
        self._file = AtomicFile(path, f"cannot keep {what}")

    def load(self) -> _T:
        """Return what was saved last. An unreadable file is set aside, not overwritten."""
        found = read_or_set_aside(
            self.path, _LARGEST, self._adapter.validate_json, f"begin {self._what} anew"
        )
        return self._empty if found is None else found

    def peek(self) -> _T:
        """Return what was saved last, changing nothing."""
        try:
            return self._adapter.validate_json(read_regular(self.path, _LARGEST))
        except (OSError, ValidationError):
            return self._empty

    def save(self, state: _T) -> None:
        """Replace the file by *state*."""
        self._file.write(self._adapter.dump_json(state))


_STATE: TypeAdapter[PersistentState] = TypeAdapter(PersistentState)


class StateFile(RecordFile[PersistentState]):
    """Implements ``ports.StateStore`` on one file."""

    def __init__(self, path: Path) -> None:
        """Keep it at *path*."""
        super().__init__(path, _STATE, PersistentState(), "the history and the ledger")


@dataclass(frozen=True, slots=True)
class _PulledImages:
    """Images of one Docker Engine: the same ID on another is another image on another disk."""

    engine: str = ""
    images: tuple[PulledImage, ...] = ()


_PULLED: TypeAdapter[_PulledImages] = TypeAdapter(_PulledImages)


class PulledImagesFile:
    """Implements ``image_remover.PulledImageStore`` for the engine at one URL."""

    def __init__(self, path: Path, url: str) -> None:
        """Keep the images of the engine at *url* in *path*."""
        self.url = url
        self._file = RecordFile(path, _PULLED, _PulledImages(), "the list of pulled images")

    def load(self) -> tuple[PulledImage, ...]:
        """Return what was saved last; nothing that was pulled to another engine."""
        kept = self._file.load()
        return kept.images if kept.engine == self.url else ()

    def save(self, images: tuple[PulledImage, ...]) -> None:
        """Replace the file."""
        self._file.save(_PulledImages(self.url, images))


def good_images_of_others(own: Path) -> frozenset[str]:
    """Return the images of which other instances, with a state beside *own*, may start pilots."""
    others = (path for path in own.parent.glob("memory-*.json") if path != own)
    rollouts = (each for path in others for each in StateFile(path).peek().rollouts.values())
    return frozenset(id_ for each in rollouts for id_ in (each.good, each.trial) if id_)
