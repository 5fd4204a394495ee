"""Keeps the run directory of a running engine: what cleans /tmp or ends a login may remove it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from plancton.control.server import ControlServer
from plancton.service.marker_files import MarkerFiles
from plancton.service.process.lock import Lock, LockedError, make_own_folder

log = logging.getLogger("plancton")
_CHECK_INTERVAL = 1.0
_TOUCH_INTERVAL = 600.0
"""Seconds; cleaners go by the age of files, and the shortest age in use is hours."""


class RunDirectory:
    """Makes lock, markers and control socket anew when they are gone, and keeps them young."""

    def __init__(
        self, locks: tuple[Lock, Lock], markers: MarkerFiles, server: ControlServer
    ) -> None:
        """Keep the files of these; *locks* are that of the directory and that of the instance."""
        self._locks, self._markers, self._server = locks, markers, server
        self._stopping = threading.Event()
        self._trouble = ""
        self._touched = 0.0

    def stop(self) -> None:
        """End ``run``."""
        self._stopping.set()

    def run(self) -> None:
        """Look each second, until stopped."""
        while not self._stopping.wait(_CHECK_INTERVAL):
            self.check()

    def check(self) -> None:
        """Look once."""
        try:
            self._renew()
        except LockedError as error:
            self._say(f"{error}; verbs reach that process, this one obeys signals only")
        except OSError as error:
            self._say(f"{error.filename}: {error.strerror}; until it can be made no verb works")
        else:
            self._trouble = ""
            self._touch()

    def _renew(self) -> None:
        lock, instance_lock = self._locks
        if all(each.in_place for each in (lock, instance_lock, self._server)):
            return
        rundir = lock.path.parent
        make_own_folder(rundir)
        if not lock.in_place:
            self._markers.keep()
            lock.renew()
            self._markers.restore()
        instance_lock.renew()
        self._server.renew()
        fields = {"rundir": rundir}
        log.warning(
            "files of the run directory were gone and are made anew", extra={"fields": fields}
        )

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            fields = {"why": trouble}
            log.warning("the run directory cannot be kept", extra={"fields": fields})
        self._trouble = trouble

    def _touch(self) -> None:
        now = time.monotonic()
        if self._touched and now - self._touched < _TOUCH_INTERVAL:
            return
        self._touched = now
        lock, instance_lock = self._locks
        for path in (instance_lock.path, *_below(lock.path.parent)):
            with suppress(OSError):
                os.utime(path, follow_symlinks=False)


def _below(folder: Path) -> Iterable[Path]:
    return (folder, *folder.rglob("*"))
