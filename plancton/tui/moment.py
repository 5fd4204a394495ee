"""All that the screens show of one moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plancton.config.effective import Setting
from plancton.engine.records.history import History
from plancton.engine.views.snapshot import PilotView, Snapshot


@dataclass(frozen=True, slots=True)
class Moment:
    """The engine's newest snapshot, and what this program knows beside it."""

    connection: str
    """How this program holds the engine: attached, hosting, simulated."""
    snapshot: Snapshot | None = None
    now: float = 0.0
    """By the wall clock."""
    connection_lost: str = ""
    """Why the engine cannot be reached; empty: it can."""
    engine_failure: str = ""
    """Why the engine that this program hosts died; empty: it lives."""
    ends_with_last_pilot: bool = False
    """Whether this program ends with the last pilot."""
    readonly: bool = False
    history: History = field(default_factory=History)
    settings: tuple[Setting, ...] = ()
    pending_states: Mapping[str, str] = field(default_factory=dict)
    """What is shown as the state of pilots of which something was asked, by ID."""

    @property
    def snapshot_age(self) -> float:
        """Seconds since the snapshot was taken."""
        return max(0.0, self.now - self.snapshot.wall) if self.snapshot else 0.0

    @property
    def outdated(self) -> bool:
        """Whether what is shown is no longer true."""
        return bool(self.connection_lost or self.engine_failure)

    def pilot(self, id_: str) -> PilotView | None:
        """Return a pilot by its ID; None: it has gone."""
        pilots = self.snapshot.pilots if self.snapshot else ()
        return next((pilot for pilot in pilots if pilot.id == id_), None)
