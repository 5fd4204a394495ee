"""Pilots' cgroups: their one parent, and each pilot's own; both versions, both drivers."""

from plancton.runtime.cgroup.parent import DEFAULT_INSTANCE, ParentCgroup

__all__ = ["DEFAULT_INSTANCE", "ParentCgroup"]
