"""Pilots' cgroups: their one parent, and each pilot's own; both versions, both drivers."""

from plancton.runtime.cgroup.parent import DEFAULT_INSTANCE, ParentCgroup
from plancton.runtime.cgroup.parent_bounds import keep_bounds
from plancton.runtime.cgroup.pilot_memory import PilotMemory, way_of_reclaim
from plancton.runtime.cgroup.reclaimer import MemoryReclaimer

__all__ = [
    "DEFAULT_INSTANCE",
    "MemoryReclaimer",
    "ParentCgroup",
    "PilotMemory",
    "keep_bounds",
    "way_of_reclaim",
]
