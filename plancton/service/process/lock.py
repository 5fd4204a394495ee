"""One engine a node: a lock that the kernel drops with its holder, so it is never stale."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from plancton.engine.errors import NotRunningError
from plancton.runtime.file_modes import PUBLIC, PUBLIC_FOLDER, make_folder, opener

PROBE_TIMEOUT = 0.5
"""Seconds a lock held by a named process is tried for: ``holder`` takes it for an instant."""

UNNAMED_TIMEOUT = 30.0
"""Seconds a lock of an unnamed holder is waited for: one that ends by itself, as a reaper does."""

_POLL_INTERVAL = 0.02
_LONGEST = 16_384


class LockedError(Exception):
    """Somebody else holds the lock; ``pid`` is the holder's, None if it wrote none."""

    def __init__(self, path: Path, pid: int | None) -> None:
        """Remember whose lock it is."""
        super().__init__(f"{path} is locked by process {pid or 'unknown'}")
        self.path, self.pid = path, pid


def make_own_folder(folder: Path) -> None:
    """Create a folder; PermissionError if it is there and another user's, who may lay traps."""
    make_folder(folder, PUBLIC_FOLDER)
    if os.geteuid() and folder.stat().st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, "belongs to another user", str(folder))


class Lock:
    """An exclusive ``flock`` on a file that also holds the owner's PID, if it is *named*.

    Its second line is a *note*, which outlives the owner; without one, the note before stays.
    """

    def __init__(self, path: Path, *, named: bool = True, note: str = "") -> None:
        """Prepare; nothing is locked before ``acquire``."""
        self.path, self.named, self.note = path, named, note
        self._file: int | None = None

    def acquire(self) -> Lock:
        """Take the lock or raise LockedError; OSError if the file cannot be written."""
        make_own_folder(self.path.parent)
        file = opener(PUBLIC, os.O_NOFOLLOW)(str(self.path), os.O_RDWR | os.O_CREAT)
        try:
            self._wait_for(file)
            _write(file, os.getpid() if self.named else None, self.note or _lines_in(file)[1])
            self._file, file = file, -1
            return self
        finally:
            if file >= 0:
                os.close(file)

    def _wait_for(self, file: int) -> None:
        begun = time.monotonic()
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = _pid_in(file)
                if time.monotonic() - begun > (UNNAMED_TIMEOUT if pid is None else PROBE_TIMEOUT):
                    raise LockedError(self.path, pid) from None
                time.sleep(_POLL_INTERVAL)

    @property
    def in_place(self) -> bool:
        """Whether the file at the path is the one that is locked here; a cleaner removes it."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), self.path.lstat())
        except OSError:
            return False

    def renew(self) -> None:
        """Take the lock at the path anew, if its file is not in place; else nothing is done.

        The one that was held stays held if that cannot be: LockedError, OSError.
        """
        if self.in_place:
            return
        old, self._file = self._file, None
        try:
            self.acquire()
        except BaseException:
            self._file = old
            raise
        if old is not None:
            os.close(old)

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two hold the same name."""
        if self._file is not None:
            _write(self._file, None, _lines_in(self._file)[1])
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Lock:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()


def holder(path: Path) -> int | None:
    """Return the PID in the lock at *path* if its owner holds it, else None."""
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(path, flags)  # whatever lies there, it is not waited for
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(file)
    else:
        return None
    finally:
        os.close(file)


def no_engine_error(path: Path) -> NotRunningError:
    """Return that no engine holds the lock at *path*."""
    return NotRunningError(
        f"no engine runs here ({path} is not locked); start one: plancton start, or plancton serve"
    )


def note_at(path: Path) -> str:
    """Return the note of the last lock at *path*; empty if it is another user's, or none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return _lines_in(file)[1] if os.fstat(file).st_uid in (0, os.geteuid()) else ""
    finally:
        os.close(file)


def _pid_in(file: int) -> int | None:
    text = _lines_in(file)[0]
    return int(text) if text.isdecimal() else None


def _lines_in(file: int) -> tuple[str, str]:
    """Return what the file of a lock holds: a PID and a note, each perhaps empty."""
    pid, _, rest = os.pread(file, _LONGEST, 0).decode("utf-8", "replace").partition("\n")
    return pid.strip(), rest.partition("\n")[0]


def _write(file: int, pid: int | None, note: str) -> None:
    first = "" if pid is None else str(pid)
    text = f"{first}\n{note}\n" if note else first and f"{first}\n"
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)
