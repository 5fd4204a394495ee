"""When the next tick is due."""

from __future__ import annotations

from dataclasses import dataclass

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.action import Decision, Starting
from plancton.engine.model.cpu_load import WINDOW
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import ENDS_WHEN_EMPTY
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.spawn import SLOW_START

CLOSE_WATCH = 1.0
"""Seconds between ticks until the foreground has been measured over a whole window, while pilots
are frozen, while pilots may fill the disk, and without the idle class."""
LOOK_FOR_ROOM, LOOK_FOR_ROOM_UNTIL = 0.5, 60.0
"""Seconds between ticks while a pilot waits for the foreground to leave it room, and for how
long: bursts pass soon, and a busy owner is not to be disturbed by our looking."""
MAKE_SPARE = 0.5
"""Seconds after which a spare is made that had to wait for what was more urgent."""
ENDING = 0.2
"""Seconds between ticks while the last pilots end."""
_RETRY_FIRST, _RETRY_LONGEST = 1.0, 30.0


def retry_after(failures: int) -> float:
    """Return the seconds to the next try after so many *failures* in a row."""
    return backoff_delay(failures, _RETRY_FIRST, _RETRY_LONGEST)


@dataclass(slots=True)
class Schedule:
    """Remembers since when pilots have been waiting for room."""

    room_missed_at: float | None = None

    def wait(
        self,
        interval: float,
        observation: Observation,
        decision: Decision,
        now: float,
        *,
        starting: tuple[Starting, ...] = (),
    ) -> float:
        """Return the seconds until the next tick is due, at most *interval*.

        *starting* are the starts under way: the end of each wakes the engine.
        """
        load, mode = observation.load, observation.mode
        due = interval
        measuring = load is None or load.span < WINDOW
        unprotected = observation.host.protection.incomplete
        if (
            measuring
            or unprotected
            or decision.state.frozen
            or _disk_is_filling(observation, decision)
        ):
            due = min(due, CLOSE_WATCH)
        if decision.actions and mode in ENDS_WHEN_EMPTY:
            due = min(due, ENDING)
        if _more_are_to_start(decision) and not starting:
            due = 0.0
        slow = (each.since + SLOW_START - now for each in starting)
        due = min(due, *(each for each in slow if each > 0), due)
        if self._room_is_awaited(decision, now):
            due = min(due, LOOK_FOR_ROOM)
        if decision.spare_awaited:
            due = min(due, MAKE_SPARE)
        if decision.due is not None:
            due = min(due, decision.due.at - now)
        return max(0.0, due)

    def _room_is_awaited(self, decision: Decision, now: float) -> bool:
        """Say whether pilots wait for the foreground to leave room, and not for long yet."""
        if not any(_waits_for_foreground(finding, decision) for finding in decision.findings):
            self.room_missed_at = None
            return False
        if self.room_missed_at is None:
            self.room_missed_at = now
        return now - self.room_missed_at < LOOK_FOR_ROOM_UNTIL


def _more_are_to_start(decision: Decision) -> bool:
    """Say whether starts wait for nothing but others."""
    return any(finding.code is Code.PER_TICK for finding in decision.findings)


def _waits_for_foreground(finding: Reason, decision: Decision) -> bool:
    """Say whether it is the foreground that takes a pilot's room, and not the other pilots."""
    if finding.code is not Code.NO_ROOM or decision.room is None:
        return False
    foreground, cpus = (float(finding.values[name]) for name in ("foreground", "cpus"))
    return decision.room + decision.overcommit * foreground >= cpus / 2


def _disk_is_filling(observation: Observation, decision: Decision) -> bool:
    """Say whether the disk is short while there are pilots, which may fill it within seconds."""
    alarms = decision.state.tracked_alarms.values()
    return bool(observation.pilots) and any(
        each.met and each.alarm.signal == "disk" for each in alarms
    )
