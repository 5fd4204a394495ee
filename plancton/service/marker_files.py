"""The operator's standing word as marker files in the run directory, as 0.6.0 kept it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from plancton.engine.model.operator import Mode

_MARKERS = {Mode.DRAINING: "drain", Mode.STOPPING: "stop", Mode.FORCED: "force-stop"}


class MarkerFiles:
    """Markers ``drain``, ``stop`` and ``force-stop``; the strongest one there is in force."""

    def __init__(self, rundir: Path) -> None:
        """Keep the markers in *rundir*."""
        self.rundir = rundir

    def mode(self) -> Mode:
        """Return what is asked now."""
        for mode in (Mode.FORCED, Mode.STOPPING, Mode.DRAINING):
            if (self.rundir / _MARKERS[mode]).exists():
                return mode
        return Mode.ACTIVE

    def order(self, mode: Mode) -> None:
        """Ask for a mode; ACTIVE takes all requests back. Others add up, none is lost."""
        if mode is Mode.ACTIVE:
            for name in _MARKERS.values():
                (self.rundir / name).unlink(missing_ok=True)
            return
        self.rundir.mkdir(parents=True, exist_ok=True)
        (self.rundir / _MARKERS[mode]).touch()

    def fulfilled(self, mode: Mode) -> None:
        """Forget the requests to stop; a plain drain stays until it is resumed."""
        if mode is Mode.ACTIVE:
            return
        for each in (Mode.STOPPING, Mode.FORCED):
            with suppress(OSError):
                (self.rundir / _MARKERS[each]).unlink(missing_ok=True)
