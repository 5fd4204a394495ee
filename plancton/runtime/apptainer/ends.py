"""Hears from shims that pilots have ended."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plancton.runtime.apptainer.shim import ENDS
from plancton.runtime.file_modes import PRIVATE, PUBLIC_FOLDER, make_folder

_STOP = b""


class EndListener:
    """Calls *on_end* with the name of each pilot that ended. What it misses, a look finds."""

    def __init__(self, folder: Path, on_end: Callable[[str], None]) -> None:
        """Listen in the folder of the pilots."""
        self._folder, self._on_end = folder, on_end
        self._stopping = threading.Event()

    def run(self) -> None:
        """Listen until ``stop``."""
        make_folder(self._folder, PUBLIC_FOLDER)
        (self._folder / ENDS).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line, self._address() as address:
            line.bind(address)
            (self._folder / ENDS).chmod(PRIVATE)
            self._on_end("")
            while not self._stopping.is_set():
                heard = line.recv(256)
                if heard != _STOP:
                    self._on_end(heard.decode(errors="replace"))
        (self._folder / ENDS).unlink(missing_ok=True)

    def stop(self) -> None:
        """End ``run``."""
        self._stopping.set()
        with (
            suppress(OSError),
            self._address() as address,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line,
        ):
            line.sendto(_STOP, address)

    @contextmanager
    def _address(self) -> Iterator[str]:
        """Yield a short name of the socket: the kernel takes no more than 107 bytes."""
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{ENDS}"
        finally:
            os.close(folder)
