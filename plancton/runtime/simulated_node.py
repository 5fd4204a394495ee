"""A simulated machine with Docker on it: what the engine sees of it through its ports.

It keeps the same contract as the real adapters; the tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plancton.config.schema import Figure
from plancton.engine.model.bounds import Bounds
from plancton.engine.model.node import HostSample, ImageStatus
from plancton.engine.model.objective import Reading
from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.records.persistent_state import PersistentState
from plancton.runtime.simulated_containers import SimulatedContainers


class SimulatedNode(SimulatedContainers):
    """Implements all ports of one node but those of configuration, operator and metrics."""

    def __init__(self, ncpus: int = 4) -> None:
        """Start with an idle node, a usable image for everything, and no containers."""
        super().__init__(ncpus)
        self.refreshed: list[str] = []
        self.pinned_images: frozenset[str] = frozenset()
        self.removed_images: tuple[RemovedImage, ...] = ()
        self.saved_state = PersistentState()
        self.own_readable = self.waited_readable = True
        self.bounds = Bounds()
        self.figures: dict[str, float | str] = {}
        """What figures are, by name; or why they cannot be read."""
        self._readings: dict[str, Reading] = {}
        self._references: frozenset[str] = frozenset()

    # --- Host ---------------------------------------------------------------------------

    protection_note = ""

    def sample(self, now: float) -> HostSample:
        """Read the simulated counters."""
        live = sum(c.pilot.memory for c in self.containers.values() if c.pilot.live)
        written = sum(
            c.pilot.written.size for c in self.containers.values() if c.pilot.written is not None
        )
        swapped = sum(c.pilot.swapped or 0 for c in self.containers.values())
        own = max(0, int(live * self.memory_use) - swapped)
        return replace(
            self.host,
            at=now,
            ncpus=self.ncpus,
            busy_seconds=self._busy_seconds,
            own_seconds=self._own_seconds if self.own_readable else None,
            suspended_seconds=self.suspended,
            waited_seconds=self.foreground_waited if self.waited_readable else None,
            memory_total=int(self.memory_total),
            memory_available=max(0, int(self.memory_total - self.foreground_memory) - own),
            own_memory=own,
            disk_free=max(0, self.host.disk_free - written),
            swap_free=max(0, self.host.swap_total - swapped),
            load1=self.foreground + sum(p.cpus for p in self.running()),
            protection=self.protection,
            cpu_domains=(tuple(range(self.ncpus)),),
            minute_of_week=int(self.wall() // 60 + 3 * 1440) % (7 * 1440),
        )

    def enforce(self, bounds: Bounds) -> None:
        """Take note of the bounds."""
        self.bounds = bounds

    def reclaim(self, pilots: tuple[str, ...]) -> None:
        """Move all memory of these pilots to swap."""
        for id_ in pilots:
            container = self.containers[id_]
            used, swapped = container.pilot.memory_used or 0, container.pilot.swapped or 0
            container.pilot = replace(container.pilot, memory_used=0, swapped=swapped + used)

    # --- Figures ------------------------------------------------------------------------

    def watch(self, figures: Iterable[Figure]) -> None:
        """Take note of the figures; none is really read."""
        self._readings = {each.name: self._readings.get(each.name, Reading()) for each in figures}

    def readings(self) -> Mapping[str, Reading]:
        """Return what the figures are, or were before they could not be read."""
        for name, before in self._readings.items():
            match self.figures.get(name, "nothing is known of it in this simulation"):
                case str(error):
                    self._readings[name] = replace(before, error=error)
                case value:
                    self._readings[name] = Reading(value, self._now)
        return dict(self._readings)

    # --- Images -------------------------------------------------------------------------

    def configure(
        self, references: frozenset[str], refresh: float, *, pull: bool, keep: int | None
    ) -> None:
        """Take note of the images."""
        self._references = references

    def missing(self, reference: str) -> None:
        """Take note that an image has gone."""
        self.missing_images.add(reference)

    def status(self) -> Mapping[str, ImageStatus]:
        """Return that every wanted image is here, but for the missing ones."""
        gone = ImageStatus(error="no such image in the registry", retry_at=self._now + 30)
        return {
            name: gone if name in self.missing_images else ImageStatus(id=self._image(name))
            for name in self._references
        }

    def pin(self, ids: frozenset[str]) -> None:
        """Take note of the images that must stay."""
        self.pinned_images = ids

    def take_removed(self) -> tuple[RemovedImage, ...]:
        """Return what a test says was removed."""
        taken, self.removed_images = self.removed_images, ()
        return taken

    def refresh(self, reference: str) -> None:
        """Take note that an image is outdated."""
        self.refreshed.append(reference)

    # --- StateStore ---------------------------------------------------------------------

    def load(self) -> PersistentState:
        """Return what was saved last."""
        return self.saved_state

    def save(self, saved_state: PersistentState) -> None:
        """Keep it."""
        self.saved_state = saved_state
