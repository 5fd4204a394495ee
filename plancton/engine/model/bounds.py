"""What all pilots together may take of the node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the parent cgroup; None: unbounded."""

    memory_high: int | None = None
    """Bytes above which the kernel slows pilots down and takes their memory back."""
    memory_max: int | None = None
    """Bytes above which its out-of-memory killer ends one of them."""
    pids: int | None = None
    """Processes and threads."""
