"""Small files of the kernel: read, written, and kept at a value."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")

log = logging.getLogger("plancton")


def read(path: Path | str) -> str | None:
    """Return what stands in it, None where it cannot be read.

    For each pilot at each tick, so in the quickest way.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(file, 65536).decode().strip()
    except OSError:
        return None
    finally:
        os.close(file)


def write(path: Path | str, value: str) -> str:
    """Write *value*; returns why the kernel refused it, empty if it did not."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    except OSError as error:
        return _refused(path, value, error)
    try:
        os.write(file, value.encode())
    except OSError as error:
        return _refused(path, value, error)
    finally:
        os.close(file)
    return ""


def _refused(path: Path | str, value: str, error: OSError) -> str:
    log.debug("cannot write %s to %s: %s", value, path, error)
    return error.strerror or str(error)


def whole_pages(size: int) -> int:
    """Return a size of memory as the kernel keeps it: rounded down to whole pages."""
    return size // _PAGE * _PAGE


def ensure(path: Path | str, value: str) -> bool:
    """Write *value* unless it is there; returns whether it is there now."""
    found = read(path)
    if found is None:
        return False
    if found == value:
        return True
    write(path, value)
    return read(path) == value
