"""What the engine decides: actions with their reasons, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass

from plancton.config import schema
from plancton.engine.model import Pilot
from plancton.engine.reasons import Reason
from plancton.engine.state import State


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create and start one pilot of a profile."""

    profile: schema.Profile
    reason: Reason
    image_id: str = ""
    """The very image to use; empty: what the profile's reference means now."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop a pilot where it is."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Thaw:
    """Let a frozen pilot go on."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM; SIGKILL follows after the pilot's grace."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""

    pilot: Pilot
    reason: Reason


@dataclass(frozen=True, slots=True)
class Remove:
    """Keep exit code, OOM flag and last log lines in the record, then remove the container."""

    pilot: Pilot
    reason: Reason


Action = Spawn | Freeze | Thaw | Terminate | Kill | Remove


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. An empty error means it was done."""

    action: Action
    error: str = ""
    detail: str = ""
    """Name of the started container, or the last log lines of the removed one."""
    image_missing: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """The next known thing to happen: a TTL, a grace, a back-off, an eviction; and when."""

    at: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, why nothing more is done, and the state that follows."""

    actions: tuple[Action, ...]
    findings: tuple[Reason, ...]
    state: State
    finished: bool = False
    """The mode asked the engine to end, and no pilot is left."""
    refresh: frozenset[str] = frozenset()
    """Images that a pilot found outdated: to be pulled now."""
    due: Due | None = None
