"""Which limits of a container the engine can enforce, by its own word. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plancton.engine.model.node import Limit

_FLAGS = {
    Limit.CPUS: ("CpuCfsPeriod", "CpuCfsQuota"),
    Limit.MEMORY: ("MemoryLimit",),
    Limit.SWAP: ("SwapLimit",),
    Limit.PIDS: ("PidsLimit",),
}
_KEYS = {
    Limit.CPUS: ("CpuPeriod", "CpuQuota"),
    Limit.MEMORY: ("Memory", "MemorySwap"),
    Limit.SWAP: ("MemorySwap",),
    Limit.PIDS: ("PidsLimit",),
}


def unenforced_limits(info: Mapping[str, Any]) -> frozenset[Limit]:
    """Return the limits that ``/info`` says are not supported; what it does not tell of, is."""
    return frozenset(
        limit for limit, flags in _FLAGS.items() if any(info.get(flag) is False for flag in flags)
    )


def without(host_config: Mapping[str, Any], limits: frozenset[Limit]) -> dict[str, Any]:
    """Return a container's HostConfig without some limits.

    Engines discard what they cannot enforce, with a warning, or refuse to make the container.
    """
    dropped = {key for limit in limits for key in _KEYS[limit]}
    return {key: value for key, value in host_config.items() if key not in dropped}
