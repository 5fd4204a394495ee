"""The owner of the machine, who uses all cores: as counters tell, or for real."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from tests.e2e.service import CORES

_PERIOD = 0.1
_TICKS = 100  # of the kernel's counters, a second


class CountedOwner:
    """Uses all cores as the counters tell, without any load: the machine may be busy or not."""

    def __init__(self, stat: Path) -> None:
        """Write to *stat*, which is where a service has ``/proc/stat``."""
        self._stat, self._gone = stat, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def come(self) -> None:
        """Begin to work."""
        self._thread.start()

    def go(self) -> None:
        """End all work."""
        if self._thread.is_alive():
            self._gone.set()
            self._thread.join()

    def _run(self) -> None:
        first, others = self._stat.read_text().split("\n", 1)
        name, user, *rest = first.split()
        used = int(user)
        with self._stat.open("r+") as file:
            while not self._gone.wait(_PERIOD):
                used += round(CORES * _TICKS * _PERIOD)
                file.seek(0)  # in place, for the service has this very file
                file.write("\n".join((" ".join((f"{name} ", str(used), *rest)), others)))
                file.flush()


class RealOwner:
    """Uses all cores for real."""

    def __init__(self) -> None:
        """Do nothing yet."""
        self._working: list[subprocess.Popen[bytes]] = []

    def come(self) -> None:
        """Begin to work."""
        burn = [sys.executable, "-S", "-c", "while True: pass"]
        self._working += [subprocess.Popen(burn) for _ in range(CORES)]

    def go(self) -> None:
        """End all work."""
        for process in self._working:
            process.kill()
            process.wait()
