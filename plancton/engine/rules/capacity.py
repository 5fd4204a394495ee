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

STARTED_AT = {"balanced": 0.15, "strict": 0.05}
"""By ``protect.latency``: the part of their promised cores that pilots must get, for one more to
start where a core has none yet."""
APART = 1.5
"""How many times more pilots must get to start than to run on, so that both never take turns."""


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
    learned: float = 1.0
    """How many times the free cores may be promised, as learned from what pilots leave idle."""

    @property
    def overcommit(self) -> float:
        """How many times the free cores are promised: in the idle class it may be more than one."""
        wanted = self.policy.spawn.overcommit
        if not self.idle_class or wanted == "off":
            return 1.0
        return self.learned if wanted == "auto" else wanted

    @property
    def unprotected(self) -> bool:
        """Whether nothing but our own reaction protects the foreground."""
        return self.observation.host.protection.incomplete

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

        ``overcommit * (ceiling * cores - reserve - foreground) - committed``; None while
        unmeasured.
        """
        left = self.left_by_foreground(load)
        return None if left is None else self.overcommit * left - committed

    def left_by_foreground(self, load: CpuLoad | None) -> float | None:
        """Cores lent that the foreground does not use; None while unmeasured."""
        limits = self.policy.spawn
        if load is None:
            return None
        return limits.ceiling * load.ncpus - limits.reserve - load.foreground

    def fits(self, cpus: float, room: float, committed: float) -> bool:
        """Say whether a pilot of so many cores may run in this *room* beside those *committed*."""
        if self.unprotected:
            return room >= cpus + HEADROOM
        if room >= self.policy.spawn.min_room * cpus:
            return True
        least, promised = STARTED_AT.get(self.policy.protect.latency), committed + cpus
        if not self.idle_class or least is None or promised > self._cores_to_cover:
            return False
        return room + committed >= max(least * promised, self.least_for(promised))

    def is_overcommitted(self, victim: Pilot, room: float, committed: float) -> bool:
        """Say whether the pilots are promised too much: *victim*, or one like it, has to go.

        *committed* are the cores promised to them all. In the idle class they cost the foreground
        nothing by running, so there only those go that hardly get on.
        """
        protect = self.policy.protect
        if self.idle_class:
            return room + committed < self._starved * committed
        if self.unprotected and self.pressure_load is not None:
            return self.pressure_load.idle < SATURATED
        return room < -protect.evict_room * victim.cpus

    @property
    def idle_class(self) -> bool:
        """Whether the kernel runs pilots only on what the foreground leaves."""
        return self.observation.host.protection is Protection.IDLE

    def least_for(self, promised: float) -> float:
        """Cores that must be left to pilots that are *promised* so many, lest they be starved."""
        return APART * self._starved * promised

    @property
    def _starved(self) -> float:
        """The part of their promised cores below which pilots hardly get on."""
        protect = self.policy.protect
        return 0.0 if protect.latency == "strict" else protect.starved

    @property
    def _cores_to_cover(self) -> float:
        """Cores of which each is to have a pilot: all that are lent."""
        limits = self.policy.spawn
        return limits.ceiling * self.observation.host.ncpus - limits.reserve

    def memory_room(self, pilots: Iterable[Pilot], starts: Iterable[schema.Profile]) -> float:
        """Bytes available beside what was promised to pilots and is not used by them yet."""
        share, host = self.policy.spawn.memory_promise, self.observation.host
        limits = sum(each.memory for each in pilots)
        promised = share * (limits + sum(each.memory for each in starts))
        # Unknown: as much as was promised.
        used = share * limits if host.own_memory is None else host.own_memory
        return host.memory_available - max(0.0, promised - used)
