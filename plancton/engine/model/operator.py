"""What the operator asks for: of the node, and of single pilots."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What the operator wants of the node; the later of several wins."""

    ACTIVE = "active"
    DRAINING = "draining"
    """No new pilots."""
    STOPPING = "stopping"
    """No new pilots, and the engine ends when the last one has gone."""
    ENDING = "ending"
    """As stopping, and pilots are asked to go now: SIGTERM, and SIGKILL after the grace."""
    FORCED = "forced"
    """As stopping, and pilots are killed now."""

    @property
    def rank(self) -> int:
        """Strength: of two modes that are asked for the stronger holds."""
        return tuple(Mode).index(self)


class PilotCommand(StrEnum):
    """What the operator wants of one pilot."""

    KILL = "kill"
    FREEZE = "freeze"
    """Stay frozen until thawed by the operator, or until its time to live is over."""
    THAW = "thaw"


ENDS_WHEN_EMPTY = (Mode.STOPPING, Mode.ENDING, Mode.FORCED)
"""Modes in which the engine ends once no pilot is left."""
