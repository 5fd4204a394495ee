"""Reads figures at their intervals, each on a thread of its own: one that hangs holds up no other.

The engine says at each tick which are wanted and takes what is known; it never waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from plancton.config.schema import Figure
from plancton.engine.model.objective import Reading
from plancton.runtime.figures.error import FigureError
from plancton.runtime.figures.read import read_figure

log = logging.getLogger("plancton")

_LATE = 1.0
"""Seconds beyond its timeout after which a reading that has not come is said to hang."""
_PATIENCE = 1.0
"""Seconds that ``stop`` waits until the commands under way are killed."""


class FigureReader:
    """Implements ``ports.Figures``. ``run`` starts and stops the threads of single figures."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Read nothing yet; *now* is the engine's clock."""
        self._now = now
        self._wanted: tuple[Figure, ...] = ()
        self._gauges: Mapping[str, _Gauge] = {}
        self._changed, self._stopping = threading.Event(), False
        self._aligning = threading.Lock()

    # --- the engine's thread calls these ------------------------------------------------

    def watch(self, figures: Iterable[Figure]) -> None:
        """Say which figures are wanted from now on."""
        wanted = tuple(figures)
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    def readings(self) -> Mapping[str, Reading]:
        """Return what is known of each, by name."""
        gauges = self._gauges
        return {name: gauge.latest() for name, gauge in gauges.items()}

    # --- its own thread -----------------------------------------------------------------

    def run(self) -> None:
        """Keep a thread for each wanted figure until ``stop``."""
        while not self._stopping:
            self._changed.wait()
            self._changed.clear()
            self._align()

    def _align(self) -> None:
        with self._aligning:
            known, kept = self._gauges, {}
            for figure in () if self._stopping else self._wanted:
                gauge = known.get(figure.name)
                if gauge is None or gauge.figure != figure:
                    gauge = _Gauge(figure, self._now)
                    gauge.start()
                kept[figure.name] = gauge
            self._gauges = kept
            for name, gauge in known.items():
                if kept.get(name) is not gauge:
                    gauge.stop()

    def stop(self) -> None:
        """End all readings; commands under way are killed when this returns."""
        gauges = tuple(self._gauges.values())
        self._stopping = True
        self._changed.set()
        self._align()
        for gauge in gauges:
            gauge.join(_PATIENCE / len(gauges))


class _Gauge:
    """One figure, and the thread that reads it."""

    def __init__(self, figure: Figure, now: Callable[[], float]) -> None:
        self.figure, self._now = figure, now
        self._reading = Reading()
        self._began: float | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"slo {figure.name}", daemon=True)
        self.start, self.stop, self.join = self._thread.start, self._stopped.set, self._thread.join

    def latest(self) -> Reading:
        """Return what is known, also of a reading that hangs."""
        reading, began = self._reading, self._began
        if began is not None and self._now() - began > self.figure.timeout + _LATE:
            return replace(reading, error=f"no answer within {self.figure.timeout:g} s")
        return reading

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            self._began = self._now()
            self._reading = self._read()
            took, self._began = self._now() - self._began, None
            wait = max(0.0, self.figure.interval - took)

    def _read(self) -> Reading:
        try:
            value = read_figure(self.figure, self._stopped.is_set)
        except FigureError as error:
            return replace(self._reading, error=str(error))
        except Exception as error:
            log.debug("a figure could not be read", exc_info=error)
            text = f"{type(error).__name__}: {error}"[:200]
            return replace(self._reading, error=text)
        return Reading(value, self._now())
