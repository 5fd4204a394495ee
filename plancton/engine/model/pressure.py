"""Signals beyond their thresholds: what they ask for, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from plancton.engine.model.reason import Reason


class Step(IntEnum):
    """What a signal asks for; each includes those before."""

    STOP = 1
    """Start no pilots."""
    FREEZE = 2
    EVICT = 3


class Choice(StrEnum):
    """Which pilot a signal takes first."""

    VICTIM = "victim"
    """As protect.victim says."""
    MOST_WRITTEN = "most written"
    MOST_FILES = "most files"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A signal beyond one of its thresholds, now."""

    signal: str
    step: Step
    reason: Reason
    after: float = 0.0
    """Seconds it must last before anything is done."""
    recover: float = 0.0
    """Seconds it must be over before that is undone."""
    all_at_once: bool = True
    """Whether it concerns all pilots, or one more each time it lasts anew."""
    choice: Choice = Choice.VICTIM
    urgent: bool = False
    """Whether there is no time left for SIGTERM: pilots are killed."""


@dataclass(frozen=True, slots=True)
class TrackedAlarm:
    """An alarm in time."""

    alarm: Alarm
    since: float
    last: float
    """When it was last beyond its threshold."""
    active: bool
    """Whether it has lasted long enough, and has not been over for long enough since."""
    met: bool = True
    """Whether it is beyond its threshold now."""
