"""Records what happened, for the log and for people, with bounded memory."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

from plancton.config.units import format_size
from plancton.engine.model.action import Discard, Kill, Outcome, Prepare, Remove, Spawn
from plancton.engine.model.objective import Reading
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.model.reason import Reason
from plancton.engine.model.state import State
from plancton.engine.records.slots import Slots
from plancton.engine.rules.canary import short
from plancton.engine.views.snapshot import DecisionRecord, EndedPilot, Event

log = logging.getLogger("plancton")

_KEPT = 100


class EventRecorder:
    """Logs events and keeps the last ones, and the records of ended pilots."""

    def __init__(
        self, publish: Callable[[EndedPilot | DecisionRecord], None] = lambda _: None
    ) -> None:
        """Start empty; *publish* gets each decision and each end as it is recorded."""
        self._publish = publish
        self.events: deque[Event] = deque(maxlen=_KEPT)
        self.ended: deque[EndedPilot] = deque(maxlen=_KEPT)
        self.slots = Slots()
        self.decisions: deque[DecisionRecord] = deque(maxlen=_KEPT)
        self._findings: tuple[str, ...] = ()
        self._failing: frozenset[str] = frozenset()

    def event(self, wall: float, text: str, level: int = logging.INFO, **fields: object) -> None:
        """Log an event and keep it."""
        shown = {key: value for key, value in fields.items() if value not in ("", None)}
        log.log(level, text, extra={"fields": shown})
        details = " ".join(f"{key}={value}" for key, value in shown.items() if key != "reason")
        reason = f": {shown['reason']}" if "reason" in shown else ""
        line = " ".join(part for part in (text, details) if part) + reason
        self.events.append(Event(wall, line, logging.getLevelName(level)))

    def findings(self, wall: float, findings: tuple[Reason, ...]) -> None:
        """Record why nothing more is done, each finding once when it begins."""
        known, self._findings = self._findings, tuple(map(_key, findings))
        for finding, key in zip(findings, self._findings, strict=True):
            if key not in known:
                self.event(wall, "waiting", logging.DEBUG, reason=str(finding))
                subject = str(finding.values.get("profile", ""))
                self._decision(wall, "waiting", subject, finding)

    def figures(self, wall: float, readings: Mapping[str, Reading]) -> None:
        """Record which figures cannot be read, each once when it begins and once when it ends."""
        failing = {name: each.error for name, each in readings.items() if each.error}
        for name in sorted(failing.keys() - self._failing):
            text = "a figure cannot be read"
            self.event(wall, text, logging.WARNING, figure=name, error=failing[name])
        for name in sorted(self._failing & readings.keys() - failing.keys()):
            self.event(wall, "a figure can be read again", figure=name)
        self._failing = frozenset(failing)

    def outcome(self, wall: float, outcome: Outcome, state: State) -> None:
        """Record what came of an action."""
        action, subject = outcome.action, outcome.subject
        self._decision(wall, action.did, subject, action.reason, outcome.error)
        reason = str(action.reason)
        if isinstance(action, Spawn):
            self._spawned(wall, action, outcome)
        elif isinstance(action, Prepare | Discard):
            level = logging.WARNING if outcome.error else logging.DEBUG
            text = f"no {action.did}" if outcome.error else action.did
            self.event(wall, text, level, profile=subject, error=outcome.error, reason=reason)
        elif outcome.error:
            text, level = f"pilot could not be {action.did}", logging.WARNING
            self.event(wall, text, level, pilot=subject, error=outcome.error, reason=reason)
        elif isinstance(action, Remove):
            self._ended(wall, action, outcome.log, state)
        else:
            level = logging.WARNING if isinstance(action, Kill) else logging.INFO
            self.event(wall, f"pilot {action.did}", level, pilot=subject, reason=reason)

    def _spawned(self, wall: float, action: Spawn, outcome: Outcome) -> None:
        profile = action.profile.name
        if outcome.error:
            text, level = "could not start a pilot", logging.WARNING
            self.event(wall, text, level, profile=profile, error=outcome.error)
        else:
            pilot, reason = outcome.subject, str(action.reason)
            self.event(wall, "pilot started", pilot=pilot, profile=profile, reason=reason)

    def _decision(
        self, wall: float, did: str, subject: str, reason: Reason, error: str = ""
    ) -> None:
        values, text = dict(reason.values), str(reason)
        record = DecisionRecord(wall, did, subject, reason.code, values, text, error)
        self.decisions.append(record)
        self._publish(record)

    def images_removed(self, wall: float, images: tuple[RemovedImage, ...]) -> None:
        """Record the images that were removed because nothing needed them any more."""
        for image in images:
            freed = None if image.freed is None else format_size(image.freed)
            text, id_ = "unused image removed", short(image.id)
            self.event(wall, text, image=image.reference, id=id_, freed=freed)

    def disappeared(self, wall: float, pilot: Pilot, reason: Reason) -> None:
        """Record that a pilot is gone, and not by us."""
        self._decision(wall, "gone", pilot.label, reason)
        self._end(wall, pilot, reason, "")

    def _ended(self, wall: float, action: Remove, lines: str, state: State) -> None:
        requested = state.endings.get(action.pilot.id)
        self._end(wall, action.pilot, requested.reason if requested else action.reason, lines)

    def _end(self, wall: float, pilot: Pilot, reason: Reason, lines: str) -> None:
        record = EndedPilot(
            id=pilot.id,
            name=pilot.name,
            profile=pilot.profile,
            exit_code=pilot.exit_code,
            oom_killed=pilot.oom_killed,
            lifetime=pilot.lifetime,
            reason=str(reason),
            log=lines,
            ended_wall=wall,
            code=reason.code.value,
            started=pilot.started_at is not None,
            core_seconds=pilot.cpu_seconds,
        )
        self.ended.append(record)
        self._publish(record)
        self.slots.end(pilot.id, "out of memory" if pilot.oom_killed else str(reason))
        lived = pilot.lifetime
        self.event(
            wall,
            "pilot ended",
            pilot=pilot.label,
            profile=pilot.profile,
            exit_code=pilot.exit_code,
            oom_killed=pilot.oom_killed or None,
            lived=None if lived is None else f"{lived:.1f}s",
            reason=str(reason),
            log=lines.rstrip().rpartition("\n")[2][-200:],
        )


def _key(finding: Reason) -> str:
    """Return what makes a finding the same as in the tick before: its numbers change."""
    about = finding.values.get("profile") or finding.values.get("objective", "")
    return f"{finding.code}:{about}"
