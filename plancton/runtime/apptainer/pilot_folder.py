"""What is on the node of one pilot: a folder with what was asked, how it started and ended.

All that is needed to manage it again stands there, as in the labels of a container.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plancton.runtime.apptainer import shim
from plancton.runtime.file_modes import PRIVATE, make_folder, write_new

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_HOME, _BOUND = "home", "bound"
_INSIDE = 0o711
"""Mode of folders that a pilot's own user must be let through."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a pilot ended."""

    code: int
    error: str
    finished: float
    """Seconds of the epoch."""
    oom_killed: bool


class PilotFolder:
    """The folder of one pilot, which is called like it."""

    def __init__(self, place: Path) -> None:
        """Look at *place*; nothing is made."""
        self.place = place
        self.name = place.name

    def make(self, task: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """Make it at one stroke, with what the shim is to do. OSError."""
        new = self.place.with_name(f".{self.name}")
        make_folder(new, _INSIDE)
        home = new / _HOME
        home.mkdir(mode=0o700)
        if task["user"]:
            os.chown(home, *task["user"])
        write_new(new / shim.ENVIRONMENT, json.dumps(environment), PRIVATE)
        write_new(new / shim.TASK, json.dumps({**task, "boot": boot_id()}), PRIVATE)
        new.rename(self.place)

    @property
    def home(self) -> Path:
        """Where Apptainer itself may write for this pilot."""
        return self.place / _HOME

    def task(self) -> Mapping[str, Any] | None:
        """Return what was asked; None if it is of an earlier boot, or no task of ours."""
        found = _read(self.place / shim.TASK)
        return found if found and found.get("boot") == boot_id() else None

    def started(self) -> tuple[int, float] | None:
        """Return the process and the time of its start, seconds of the epoch; None: not yet."""
        found = _read(self.place / shim.STARTED)
        try:
            return (int(found["pid"]), float(found["started"])) if found else None
        except (KeyError, TypeError, ValueError):
            return None

    def ending(self) -> Ending | None:
        """Return how it ended; None: it did not, as far as was written down."""
        found = _read(self.place / shim.ENDED)
        if found is None:
            return None
        try:
            return Ending(
                int(found["code"]),
                str(found["error"]),
                float(found["finished"]),
                bool(found["oom_killed"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def has_shim(self) -> bool:
        """Say whether its shim lives: it holds a lock as long as it does."""
        try:
            lock = os.open(self.place / shim.LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def note_bound(self) -> None:
        """Remember that it was bound to CPUs; its cgroup says to which."""
        with suppress(OSError):
            (self.place / _BOUND).touch()

    @property
    def was_bound(self) -> bool:
        """Whether it was ever bound to CPUs."""
        return (self.place / _BOUND).exists()

    def log(self, most: int) -> bytes:
        """Return the last bytes of its log, at most so many."""
        text = b""
        for name in (shim.LOG, shim.OLDER_LOG):
            with suppress(OSError):
                text = _tail(self.place / name, most - len(text)) + text
        return text

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.place, ignore_errors=True)


def folders_in(place: Path) -> Iterator[PilotFolder]:
    """Yield the folders of all pilots below a place, but for those that are being made."""
    with suppress(FileNotFoundError), os.scandir(place) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield PilotFolder(Path(entry.path))


def boot_id() -> str:
    """Return what tells this boot of the machine from all others."""
    return _BOOT_ID.read_text().strip()


def _tail(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - most))
        return file.read(most)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
