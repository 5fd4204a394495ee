"""The operator's standing word as marker files in the run directory, as 0.6.0 kept it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from plancton.engine.model.operator import Mode
from plancton.runtime.file_modes import PUBLIC, PUBLIC_FOLDER, make_folder, write_new

_MARKERS = {Mode.DRAINING: "drain", Mode.STOPPING: "stop", Mode.FORCED: "force-stop"}


class MarkerFiles:
    """Markers ``drain``, ``stop`` and ``force-stop``; the strongest one there is in force."""

    def __init__(self, rundir: Path, in_place: Callable[[], bool] = lambda: True) -> None:
        """Keep the markers in *rundir*; while it is not *in_place*, those seen last are in force.

        So a cleaner of files takes no order back.
        """
        self.rundir, self._in_place = rundir, in_place
        self._seen: set[Mode] = set()
        self._keeping = False

    def mode(self) -> Mode:
        """Return what is asked now."""
        there = {mode for mode, name in _MARKERS.items() if (self.rundir / name).exists()}
        if self._in_place() and not self._keeping:
            self._seen = there
        return max(self._seen | there, key=lambda mode: mode.rank, default=Mode.ACTIVE)

    def order(self, mode: Mode) -> None:
        """Ask for a mode; ACTIVE takes all requests back. Others add up, none is lost."""
        if mode is Mode.ACTIVE:
            self._forget(*_MARKERS)
            return
        make_folder(self.rundir, PUBLIC_FOLDER)
        write_new(self.rundir / _MARKERS[mode], "", PUBLIC)
        self._seen.add(mode)

    def fulfilled(self, mode: Mode) -> None:
        """Forget the requests to stop; a plain drain stays until it is resumed."""
        if mode is not Mode.ACTIVE:
            for each in (Mode.STOPPING, Mode.FORCED):
                with suppress(OSError):
                    self._forget(each)

    def keep(self) -> None:
        """Let those seen last be in force until they are written again, by ``restore``."""
        self._keeping = True

    def restore(self) -> None:
        """Write the markers again that were seen last."""
        for mode in tuple(self._seen):
            self.order(mode)
        self._keeping = False

    def _forget(self, *modes: Mode) -> None:
        for mode in modes:
            (self.rundir / _MARKERS[mode]).unlink(missing_ok=True)
            self._seen.discard(mode)
