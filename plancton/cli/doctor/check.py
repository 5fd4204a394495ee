"""What ``plancton doctor`` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; the verdict is OK, WARN or FAIL."""

    what: str
    verdict: str
    found: str
    mend: str = ""
