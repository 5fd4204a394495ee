"""Files and folders with the rights that are meant, whatever the umask; old ones keep theirs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PUBLIC_FOLDER, PUBLIC = 0o755, 0o644
"""For what other users and programs, or pilots, must find."""
GROUP_FOLDER, GROUP = 0o750, 0o640
"""For the owner, and a group that he may choose."""
PRIVATE = 0o600


def make_folder(folder: Path, mode: int) -> None:
    """Create a folder, and those above it that are missing, with this *mode*. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir(mode)
            each.chmod(mode)


def opener(mode: int, flags: int = 0) -> Callable[[str, int], int]:
    """Return what ``open`` takes as its opener: a file that it creates gets this *mode*."""

    def open_file(path: str, wanted: int) -> int:
        wanted |= flags | os.O_CLOEXEC
        if not wanted & os.O_CREAT:
            return os.open(path, wanted)
        try:
            file = os.open(path, wanted | os.O_EXCL, mode)
        except FileExistsError:
            if wanted & os.O_EXCL:
                raise
            return os.open(path, wanted, mode)
        os.fchmod(file, mode)
        return file

    return open_file


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file; it is created with this *mode*."""
    with open(path, "w", encoding="utf-8", opener=opener(mode)) as file:
        file.write(text)


def mode_of(path: Path, usual: int) -> int:
    """Return the rights of a file, for the one in its place; *usual* if it is not there.

    That everybody may write to it, nobody meant.
    """
    with suppress(OSError):
        return path.stat().st_mode & 0o775
    return usual
