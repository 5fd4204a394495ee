"""Pressure stall information (PSI), as the kernel writes it for the node and for each cgroup."""

from __future__ import annotations

from pathlib import Path

from plancton.engine.model.node import Stalled
from plancton.runtime.cgroup import kernel_file


def read_pressure(file: Path) -> Stalled | None:
    """Return the "some" line of a pressure file; None where the kernel keeps none."""
    text = kernel_file.read(file)
    if not text:
        return None
    values = dict(part.split("=") for part in text.splitlines()[0].split()[1:])
    return Stalled(float(values["avg10"]), int(values["total"]) / 1e6)
