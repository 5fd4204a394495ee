"""How the kernel places a thread of the owner's that wakes up."""

from __future__ import annotations

from plancton.cli.doctor.check import Check
from plancton.runtime.idle_core_search import Found, Search

_LIFT = "plancton bootstrap --tune lifts the limit, for the whole machine (docs/protection.md)"


def check_idle_core_search(found: Found) -> Check:
    """Say how far the kernel looks for an idle core. It is never an error, but a choice."""
    mend = _LIFT if found.search is Search.LIMITED else found.mend
    return Check("idle-core search", "OK", found.sentence, mend)
