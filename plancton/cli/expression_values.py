"""Values of the node that expressions may name."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from plancton.config.schema import Config
    from plancton.engine.views.snapshot import Snapshot
    from plancton.service.process.paths import Paths

_OF_PROFILE = ("max_dock_mem", "max_dock_swap")
_CPU_SECONDS = 0.1
"""How long the CPU in use is measured."""


def values_of_node(
    paths: Paths, config: Config, snapshot: Snapshot | None
) -> tuple[dict[str, float], str]:
    """Return the names of expressions that describe the node, and where their values are from.

    Those in the *snapshot* of a running engine; else those of this moment, with the means it last
    kept.
    """
    from plancton.service.instance import instance_name

    if snapshot and snapshot.policy:
        policy = snapshot.policy
        names = {name: value for name, value in policy.items() if name not in _OF_PROFILE}
        return names, "as the running engine sees them"
    return _measured(
        paths.state_file(instance_name(config))
    ), "measured now; without an engine all CPU counts as foreground"


def snapshot_of_engine(paths: Paths) -> Snapshot | None:
    """Return what a running engine sees; None if none runs or answers."""
    from plancton.engine.errors import NotRunningError
    from plancton.service.process.lock import holder

    try:
        if holder(paths.lock) is None:
            return None
        from plancton.service.node import LocalNode  # here, as it takes long

        return LocalNode(paths).engine.snapshot()
    except (NotRunningError, OSError):
        return None


def _measured(memory_file: Path) -> dict[str, float]:
    import psutil

    from plancton.engine.records.metrics import past
    from plancton.service.state_file import StateFile

    ncpus, memory = psutil.cpu_count() or 1, psutil.virtual_memory()
    busy = ncpus * psutil.cpu_percent(interval=_CPU_SECONDS) / 100
    present = {
        "cpu": busy,
        "foreground": busy,
        "load": os.getloadavg()[0],
        "mem": float(memory.available),
        "disk": float(psutil.disk_usage("/").free),
    }
    history, wall = StateFile(memory_file).peek().history, time.time()
    total = {"ncpus": ncpus, "ram_bytes": memory.total, "swap_bytes": psutil.swap_memory().total}
    return {**total, **present, **past(present, history, wall)}
