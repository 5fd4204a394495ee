"""Where the kernel's controllers are mounted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where the controllers are mounted; v2 has one place for all."""

    unified: bool
    cpu: Path | None
    cpuacct: Path | None
    blkio: Path | None
    memory: Path | None = None
    pids: Path | None = None
    cpuset: Path | None = None
    freezer: Path | None = None

    def mounts(self) -> set[Path]:
        """Return the places where the parent is made, each once: cpusets are made by Docker."""
        every = (self.cpu, self.cpuacct, self.blkio, self.memory, self.pids)
        return {place for place in every if place}


def hierarchy(mounts: str, *, unified: bool) -> Hierarchy:
    """Find the controllers in the text of /proc/mounts."""
    places: dict[str, Path] = {}
    for line in mounts.splitlines():
        _, point, kind, options, *_ = line.split()
        if unified and kind == "cgroup2":
            return Hierarchy(True, *[Path(point)] * 7)
        if kind == "cgroup":
            places.update(dict.fromkeys(options.split(","), Path(point)))
    known = ("cpu", "cpuacct", "blkio", "memory", "pids", "cpuset", "freezer")
    return Hierarchy(False, *map(places.get, known))
