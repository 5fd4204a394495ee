"""The engine's diary: what happened, for the log and for people, with bounded memory."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from plancton.engine.actions import Kill, Outcome, Remove, Spawn
from plancton.engine.reasons import Reason
from plancton.engine.slots import Slots
from plancton.engine.snapshot import Decided, Ended, Event
from plancton.engine.state import State

log = logging.getLogger("plancton")

_KEPT = 100
_VERBS = {
    "Spawn": "started",
    "Freeze": "frozen",
    "Thaw": "thawed",
    "Terminate": "asked to end (SIGTERM)",
    "Kill": "killed (SIGKILL)",
    "Remove": "removed",
}


class Diary:
    """Logs events and keeps the last ones, and the records of ended pilots."""

    def __init__(self, tell: Callable[[Ended | Decided], None] = lambda _: None) -> None:
        """Start empty; *tell* gets each decision and each end as it is written."""
        self._tell = tell
        self.events: deque[Event] = deque(maxlen=_KEPT)
        self.ended: deque[Ended] = deque(maxlen=_KEPT)
        self.slots = Slots()
        self.decisions: deque[Decided] = deque(maxlen=_KEPT)

    def note(self, wall: float, text: str, level: int = logging.INFO, **fields: object) -> None:
        """Log an event and keep it."""
        shown = {key: value for key, value in fields.items() if value not in ("", None)}
        log.log(level, text, extra={"fields": shown})
        details = " ".join(f"{key}={value}" for key, value in shown.items() if key != "reason")
        because = f": {shown['reason']}" if "reason" in shown else ""
        line = " ".join(part for part in (text, details) if part) + because
        self.events.append(Event(wall, line, logging.getLevelName(level)))

    def wait(self, wall: float, finding: Reason) -> None:
        """Write why nothing more is done, once when it begins."""
        self.note(wall, "waiting", logging.DEBUG, reason=str(finding))
        subject = str(finding.values.get("profile", ""))
        values, text = dict(finding.values), str(finding)
        self._decide(Decided(wall, "waiting", subject, finding.code, values, text))

    def record(self, wall: float, outcome: Outcome, state: State) -> None:
        """Write what came of an action."""
        action = outcome.action
        reason = str(action.reason)
        self._decided(wall, outcome)
        if isinstance(action, Spawn):
            name = action.profile.name
            if outcome.error:
                self.note(
                    wall,
                    "could not start a pilot",
                    logging.WARNING,
                    profile=name,
                    error=outcome.error,
                )
            else:
                self.note(wall, "pilot started", pilot=outcome.detail, profile=name, reason=reason)
            return
        pilot = action.pilot.name or action.pilot.id[:12]
        verb = _VERBS[type(action).__name__]
        if outcome.error:
            self.note(
                wall,
                f"pilot could not be {verb}",
                logging.WARNING,
                pilot=pilot,
                error=outcome.error,
                reason=reason,
            )
        elif isinstance(action, Remove):
            self._end(wall, action, outcome.detail, state)
        else:
            level = logging.WARNING if isinstance(action, Kill) else logging.INFO
            self.note(wall, f"pilot {verb}", level, pilot=pilot, reason=reason)

    def _decide(self, decided: Decided) -> None:
        self.decisions.append(decided)
        self._tell(decided)

    def _decided(self, wall: float, outcome: Outcome) -> None:
        action = outcome.action
        if isinstance(action, Spawn):
            subject = outcome.detail or action.profile.name
        else:
            subject = action.pilot.name or action.pilot.id[:12]
        self._decide(
            Decided(
                wall,
                _VERBS[type(action).__name__],
                subject,
                action.reason.code,
                dict(action.reason.values),
                str(action.reason),
                outcome.error,
            )
        )

    def _end(self, wall: float, action: Remove, lines: str, state: State) -> None:
        pilot = action.pilot
        asked = state.endings.get(pilot.id)
        because = asked.reason if asked else action.reason
        reason = str(because)
        record = Ended(
            id=pilot.id,
            name=pilot.name,
            profile=pilot.profile,
            exit_code=pilot.exit_code,
            oom_killed=pilot.oom_killed,
            lifetime=pilot.lifetime,
            reason=reason,
            log=lines,
            ended_wall=wall,
            code=because.code.value,
            started=pilot.started_at is not None,
            core_seconds=pilot.cpu_seconds,
        )
        self.ended.append(record)
        self._tell(record)
        self.slots.end(pilot.id, "out of memory" if pilot.oom_killed else reason)
        lived = pilot.lifetime
        self.note(
            wall,
            "pilot ended",
            pilot=pilot.name or pilot.id[:12],
            profile=pilot.profile,
            exit_code=pilot.exit_code,
            oom_killed=pilot.oom_killed or None,
            lived=None if lived is None else f"{lived:.1f}s",
            reason=reason,
            log=lines.rstrip().rpartition("\n")[2][-200:],
        )
