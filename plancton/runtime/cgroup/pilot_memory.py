"""The memory of single pilots: their limits kept, and taken back while they are frozen."""

from __future__ import annotations

import os

from plancton.runtime.cgroup import kernel_file
from plancton.runtime.cgroup.parent import ParentCgroup


class PilotMemory:
    """Reads and writes the memory controller of each pilot's cgroup.

    Without the right to write, or the files, it does nothing.
    """

    def __init__(self, parent: ParentCgroup) -> None:
        """Look below *parent*."""
        self._parent = parent

    def used(self, id_: str) -> int | None:
        """Return the bytes that a pilot uses, None where that cannot be read."""
        unified, place = self._place(id_)
        text = place and kernel_file.read(
            f"{place}/{'memory.current' if unified else 'memory.usage_in_bytes'}"
        )
        return int(text) if text else None

    def swapped(self, id_: str) -> int | None:
        """Return the bytes of a pilot that lie in swap, None where that cannot be read."""
        unified, place = self._place(id_)
        if not place:
            return None
        if unified:
            text = kernel_file.read(f"{place}/memory.swap.current")
            return int(text) if text else None
        lines = (kernel_file.read(f"{place}/memory.stat") or "").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("swap ")), None)

    def keep(self, id_: str, swap: int | None, *, may_swap: bool) -> None:
        """Have a pilot die whole, and use no more than *swap* bytes of it; None: no limit.

        While it *may_swap*, being frozen, all of it may go to swap. Looked at over and over: a
        ``daemon-reload`` of systemd, and ``docker update``, take away what only we, or runc, wrote.
        """
        unified, place = self._place(id_)
        if not place or not unified:
            return
        kernel_file.ensure(f"{place}/memory.oom.group", "1")
        if swap is not None:
            limit = "max" if may_swap else str(kernel_file.whole_pages(swap))
            kernel_file.ensure(f"{place}/memory.swap.max", limit)
        if not may_swap and not _can_reclaim(place):
            kernel_file.ensure(f"{place}/memory.high", "max")  # a kill of ours may have left it low

    def reclaim(self, id_: str, size: int) -> int:
        """Move *size* bytes, or what there is, of a frozen pilot to swap; returns how many went.

        It may take seconds. Cgroup v1 knows no size, there it is all of the pilot.
        """
        unified, place = self._place(id_)
        before = self.used(id_)
        if not place or before is None:
            return 0
        if not unified:
            kernel_file.write(f"{place}/memory.force_empty", "0")
        elif _can_reclaim(place):
            kernel_file.write(f"{place}/memory.reclaim", str(size))
        else:
            # Before Linux 5.19. A lowered bound has the kernel reclaim at once, and a frozen
            # pilot does not run into it; so it is needed no longer than the writing takes.
            kernel_file.write(f"{place}/memory.high", str(max(0, before - size)))
            kernel_file.write(f"{place}/memory.high", "max")
        return before - (self.used(id_) or 0)

    def _place(self, id_: str) -> tuple[bool, str]:
        return self._parent.unified, self._parent.memory_place(id_)


def way_of_reclaim(parent: ParentCgroup) -> str:
    """Return the kernel's file by which memory is taken back; empty: it has none."""
    memory = parent.controller("memory")
    if memory is None:
        return ""
    if not parent.unified:
        return "memory.force_empty"
    return "memory.reclaim" if _can_reclaim(str(memory)) else "memory.high"


def _can_reclaim(place: str) -> bool:
    return os.path.exists(f"{place}/memory.reclaim")  # noqa: PTH110 (for each pilot at each tick)
