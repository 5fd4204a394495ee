"""What becomes of the memory of frozen pilots here."""

from __future__ import annotations

import os

import psutil

from plancton.cli.doctor.check import Check
from plancton.config.schema import Config
from plancton.config.units import format_size
from plancton.runtime.cgroup import ParentCgroup, way_of_reclaim

_WHAT = "frozen memory"


def check_frozen_memory(config: Config, parent: ParentCgroup) -> Check:
    """Say whether frozen pilots can give their memory back to the owner."""
    below, way = config.protect.memory.reclaim_below, way_of_reclaim(parent)
    swap = psutil.swap_memory().total
    if below == "off":
        return Check(_WHAT, "OK", "kept, as configured (protect.memory.reclaim_below)")
    if not swap:
        found = "kept: this node has no swap; with some, or zram, it would be given back"
        return Check(_WHAT, "OK", found)
    if not way:
        return Check(_WHAT, "OK", "kept: Docker's pilots are out of our reach here")
    if os.geteuid():
        return Check(_WHAT, "OK", "kept: only Plancton as root can take it back")
    found = f"goes to swap ({format_size(swap)}) below {below} available, by {way}"
    return Check(_WHAT, "OK", found)
