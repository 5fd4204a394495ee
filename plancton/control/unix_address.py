"""Addresses of Unix sockets, however long their paths are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAX_PATH = 100


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address of the socket at *path* that is short enough for the kernel (108 bytes)."""
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
