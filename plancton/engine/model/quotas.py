"""How many cores pilots may use, beside those promised to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quotas:
    """What is decided of the CPU quotas of pilots."""

    text: str = ""
    """How it stands, in words; empty: no pilot may ever use more than its promise."""
    cores: Mapping[str, float] = field(default_factory=dict)
    """Cores of each pilot whose quota is to be changed, by its ID; infinite: none."""
