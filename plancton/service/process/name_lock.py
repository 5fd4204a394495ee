"""A lock that no cleaner of files can remove."""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path
from types import TracebackType

from plancton.service.process.lock import LockedError

_BACKLOG = 1024
"""Who connects learns who listens. Nothing is ever accepted, so this many may ask."""
_CREDENTIALS = struct.Struct("3i")


class NameLock:
    """A name in the abstract namespace of Unix sockets (unix(7)), which is nowhere on disk.

    It stands behind the lock on a file, for when that file is gone while its holder runs. Any
    user can take any name, so a holder who is neither root nor this user is not believed.
    """

    def __init__(self, name: str, shown: Path) -> None:
        """Prepare; *shown* is the path that LockedError names."""
        self._address, self._shown = f"\0{name}", shown
        self._socket: socket.socket | None = None

    def __enter__(self) -> NameLock:
        """Take the name; LockedError if a process of this user, or of root, has it."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if self._taken(made):
            self._socket = made
            return self
        made.close()
        pid, uid = self._holder()
        if uid in (0, os.geteuid()):
            raise LockedError(self._shown, pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _taken(self, made: socket.socket) -> bool:
        try:
            made.bind(self._address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        made.listen(_BACKLOG)
        return True

    def _holder(self) -> tuple[int, int]:
        """Return the PID and the user of who listens at the name; -1: that cannot be learnt."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self._address)
            except OSError:
                return -1, -1
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        return pid, uid
