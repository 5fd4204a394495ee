"""The kernel's search for an idle core when a thread wakes up, which SIS_UTIL cuts short.

SIS_UTIL is a feature of the scheduler, and so a setting of the whole machine.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

FEATURES = Path("/sys/kernel/debug/sched/features")
LIMIT, NO_LIMIT = "SIS_UTIL", "NO_SIS_UTIL"


class Search(Enum):
    """How far the kernel looks for an idle core."""

    LIMITED = "on a busy machine the kernel stops looking for an idle core (SIS_UTIL is set)"
    FULL = "the kernel looks at all cores that share a cache (NO_SIS_UTIL is set)"
    NO_FEATURE = "this kernel has no scheduler feature SIS_UTIL: nothing to set"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Found:
    """How far the kernel looks; if that is unknown, why, and what to do about it."""

    search: Search
    why: str = ""
    mend: str = ""

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        return f"{self.search.value}: {self.why}" if self.why else self.search.value


def look(features: Path = FEATURES) -> Found:
    """Read the scheduler's features."""
    try:
        names = features.read_text().split()
    except OSError as error:
        return _unusable(error, features)
    if NO_LIMIT in names:
        return Found(Search.FULL)
    return Found(Search.LIMITED if LIMIT in names else Search.NO_FEATURE)


def set_limit(limited: bool, features: Path = FEATURES) -> Found:
    """Limit the search, or lift the limit, until the next boot; returns what is so now."""
    found = look(features)
    if found.search not in (Search.LIMITED, Search.FULL):
        return found
    try:
        # Neither create nor truncate: debugfs has neither.
        file = os.open(features, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, (LIMIT if limited else NO_LIMIT).encode() + b"\n")
        finally:
            os.close(file)
    except OSError as error:
        return _unusable(error, features)
    return look(features)


def _unusable(error: OSError, features: Path) -> Found:
    if error.errno == errno.EACCES:
        return Found(Search.UNKNOWN, f"only root may use {features}", "run this as root")
    if error.errno == errno.EPERM:
        why = f"the kernel is locked down and refuses {features}"
        return Found(Search.UNKNOWN, why, "it keeps its setting; protect.latency works without it")
    if error.errno != errno.ENOENT:
        return Found(Search.UNKNOWN, f"{features}: {error.strerror}")
    debugfs = features.parents[1]
    if debugfs.is_mount():
        return Found(Search.NO_FEATURE)
    mend = f"mount -t debugfs debugfs {debugfs}, as root"
    return Found(Search.UNKNOWN, "debugfs is not mounted", mend)
