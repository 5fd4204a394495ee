"""Which CPUs pilots may use, and which of them share a cache."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from plancton.engine.model.cpu_list import parse_cpu_list
from plancton.runtime.cgroup import ParentCgroup, kernel_file

_SYSTEM = Path("/sys/devices/system/cpu")


def cpu_domains(parent: ParentCgroup, system: Path = _SYSTEM) -> tuple[tuple[int, ...], ...]:
    """Return the CPUs that are online and allowed to the *parent* of all pilots.

    Those that share their last-level cache stand together. Empty where the kernel does not tell.
    """
    online = parse_cpu_list(kernel_file.read(system / "online") or "")
    allowed = _allowed(parent)
    return _domains(tuple(cpu for cpu in online if not allowed or cpu in allowed), system)


def _allowed(parent: ParentCgroup) -> tuple[int, ...]:
    """Return the CPUs of the parent cgroup, or of the nearest above that is there; empty: all."""
    mount, place = parent.controller("cpuset"), parent.place("cpuset")
    name = "cpuset.cpus.effective" if parent.unified else "cpuset.effective_cpus"
    while mount is not None and place is not None and place.is_relative_to(mount):
        cpus = parse_cpu_list(kernel_file.read(place / name) or "")
        if cpus:
            return cpus
        place = place.parent
    return ()


@lru_cache(maxsize=4)
def _domains(cpus: tuple[int, ...], system: Path) -> tuple[tuple[int, ...], ...]:
    domains: dict[tuple[int, ...], list[int]] = {}
    for cpu in cpus:
        domains.setdefault(_shared(system / f"cpu{cpu}" / "cache"), []).append(cpu)
    return tuple(map(tuple, domains.values()))


def _shared(cache: Path) -> tuple[int, ...]:
    """Return the CPUs that share the largest cache; empty where it is not told."""
    levels = sorted(cache.glob("index*"), key=lambda index: kernel_file.read(index / "level") or "")
    return parse_cpu_list(kernel_file.read(levels[-1] / "shared_cpu_list") or "") if levels else ()
