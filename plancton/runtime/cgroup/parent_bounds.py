"""What all pilots together may take, kept on their parent cgroup."""

from __future__ import annotations

from pathlib import Path

from plancton.engine.model.bounds import Bounds
from plancton.runtime.cgroup import kernel_file
from plancton.runtime.cgroup.parent import ParentCgroup

_UNLIMITED = 2**62
"""Cgroup v1 writes about so much, or more, for no limit."""


def keep_bounds(parent: ParentCgroup, bounds: Bounds) -> None:
    """Write what differs; without the right to, or the parent, nothing happens.

    Looked at over and over, for a ``daemon-reload`` of systemd may take it away.
    """
    high, most = (
        None if size is None else kernel_file.whole_pages(size)
        for size in (bounds.memory_high, bounds.memory_max)
    )
    memory, pids = parent.place("memory"), parent.place("pids")
    if memory and parent.unified:
        _keep(memory / "memory.high", high, "max")
        _keep_hard(memory / "memory.max", memory / "memory.current", most, "max")
    elif memory:
        limit, used = memory / "memory.limit_in_bytes", memory / "memory.usage_in_bytes"
        _keep_hard(limit, used, most, "-1")
    if pids:
        _keep(pids / "pids.max", bounds.pids, "max")


def _keep_hard(path: Path, usage: Path, value: int | None, unlimited: str) -> None:
    """Keep a limit that kills, but never set it below what is in use: that would kill at once."""
    used = kernel_file.read(usage)
    if value is None or (used is not None and int(used) < value):
        _keep(path, value, unlimited)


def _keep(path: Path, value: int | None, unlimited: str) -> None:
    found = kernel_file.read(path)
    if found is None:
        return
    there = None if found == "max" or int(found) >= _UNLIMITED else int(found)
    if there != value:
        kernel_file.write(path, unlimited if value is None else str(value))
