"""What an engine keeps beyond its own life. Losing it costs figures, never a pilot. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plancton.engine.model.state import Rollout
from plancton.engine.records.history import History
from plancton.engine.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class PersistentState:
    """The node's past, its accounts, which images were good, and what each profile had."""

    history: History = field(default_factory=History)
    ledger: Ledger = field(default_factory=Ledger)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    used: Mapping[str, float] = field(default_factory=dict)
    overcommit: float = 1.0
    """How many times the free cores were promised to pilots."""
    held: frozenset[str] = frozenset()
    """IDs of pilots that the operator keeps frozen."""
