"""What /proc/PID/mountinfo (proc(5)) says of mounts and their propagation. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: where, of what kind, and whether mounts below it spread from or to it."""

    point: str
    kind: str
    shared: bool
    slave: bool


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """Return the mounts of a mountinfo file, the topmost of several at one place last."""
    return tuple(_mounts(text))


def _mounts(text: str) -> Iterator[Mount]:
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        tags = {field.partition(":")[0] for field in fields[6:]}
        yield Mount(_unescape(fields[4]), kind, "shared" in tags, "master" in tags)


def _unescape(point: str) -> str:
    """Undo the kernel's octal escapes of blanks."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount:
    """Return the mount that *path* lies on."""
    best = Mount("/", "", shared=False, slave=False)
    for mount in mounts:
        if within(path, mount.point) and len(mount.point) >= len(best.point):
            best = mount
    return best


def within(path: str, folder: str) -> bool:
    """Say whether *path* is *folder* or lies below it; both are absolute and normal."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
