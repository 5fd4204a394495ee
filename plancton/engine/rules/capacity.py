"""How many cores and how much memory are left for pilots. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from plancton.config import schema
from plancton.engine.model.node import CpuLoad, Observation, Protection
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.policy import Policy

HEADROOM, SATURATED = 0.5, 0.25
"""Cores that stay free beside pilots without the idle class, and below which the node is full.

There a pilot takes cores from the foreground, which then looks smaller than it would be. So
some are always left, and as soon as they are used up the foreground may want more.
"""

STARTED, KEPT = 0.5, 0.35
"""Parts of their promised cores that pilots get at least, with ``protect.latency: strict``.

Above the first one more is started where a core has none yet, below the second the youngest is
frozen. A start leaves the first at least, so none makes the other due.
"""


def cores(pilots: Iterable[Pilot] | Iterable[schema.Profile]) -> float:
    """Cores promised to these pilots."""
    return sum(pilot.cpus for pilot in pilots)


def of_profile(pilots: Iterable[Pilot], profile: schema.Profile) -> list[Pilot]:
    """Those of the *pilots* that belong to the profile."""
    return [pilot for pilot in pilots if pilot.profile == profile.name]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the node has for pilots, as one tick observed it."""

    observation: Observation
    policy: Policy

    @property
    def unprotected(self) -> bool:
        """Whether nothing but our own reaction protects the foreground."""
        return self.observation.host.protection is Protection.WEIGHT_ONLY

    @property
    def pressure_load(self) -> CpuLoad | None:
        """What the foreground uses; without the idle class, at its worst."""
        if self.unprotected:
            return max(self._loads(), key=lambda load: load.foreground, default=None)
        return self.observation.load

    @property
    def spawn_load(self) -> CpuLoad | None:
        """What the foreground uses, as soon as it uses less.

        The mean of some seconds lags behind, and in the idle class nothing is risked. Without
        the idle class it is the worst of both.
        """
        if self.unprotected:
            return self.pressure_load
        return min(self._loads(), key=lambda load: load.foreground, default=None)

    def _loads(self) -> list[CpuLoad]:
        both = (self.observation.load, self.observation.recent)
        return [load for load in both if load is not None]

    def room(self, committed: float, load: CpuLoad | None) -> float | None:
        """Cores free beside those *committed*, negative when overcommitted.

        ``ceiling * cores - reserve - foreground - committed``; None while unmeasured.
        """
        limits = self.policy.spawn
        if load is None:
            return None
        return limits.ceiling * load.ncpus - limits.reserve - load.foreground - committed

    def fits(self, cpus: float, room: float, committed: float) -> bool:
        """Say whether a pilot of so many cores may run in this *room* beside those *committed*."""
        if self.unprotected:
            return room >= cpus + HEADROOM
        promised = committed + cpus
        return room >= self.policy.spawn.min_room * cpus or (
            promised <= self._cores_to_cover and room + committed >= STARTED * promised
        )

    def is_overcommitted(self, victim: Pilot, room: float, committed: float) -> bool:
        """Say whether the pilots are promised too much: *victim*, or one like it, has to go.

        *committed* are the cores promised to them all.
        """
        if self.unprotected and self.pressure_load is not None:
            return self.pressure_load.idle < SATURATED
        if room >= -self.policy.protect.evict_room * victim.cpus:
            return False
        return committed > self._cores_to_cover or room + committed < KEPT * committed

    @property
    def _cores_to_cover(self) -> int:
        """Cores of which each is to have a pilot, as far as pilots bear it."""
        protected = self.observation.host.protection is Protection.IDLE
        wanted = protected and self.policy.protect.latency == "strict"
        return self.observation.host.ncpus if wanted else 0

    def memory_room(self, pilots: Iterable[Pilot], starts: Iterable[schema.Profile]) -> float:
        """Bytes available beside what was promised to pilots and is not used by them yet."""
        share, host = self.policy.spawn.memory_promise, self.observation.host
        limits = sum(each.memory for each in pilots)
        promised = share * (limits + sum(each.memory for each in starts))
        # Unknown: as much as was promised.
        used = share * limits if host.own_memory is None else host.own_memory
        return host.memory_available - max(0.0, promised - used)
