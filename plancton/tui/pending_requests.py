"""What was asked of the engine here and has not come about yet. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.views.snapshot import Snapshot
from plancton.engine.views.text import count_pilots

LATE_AFTER = 10.0
"""Seconds after which it is said that a request has not come about."""
Severity = Literal["information", "warning", "error"]
_STATES_MEANWHILE = {
    PilotCommand.KILL: "killing",
    PilotCommand.FREEZE: "freezing",
    PilotCommand.THAW: "thawing",
}
_DONE = {PilotCommand.KILL: "killed", PilotCommand.FREEZE: "frozen", PilotCommand.THAW: "thawed"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request, as it is told to the person who asked."""

    text: str
    severity: Severity = "information"


@dataclass(slots=True)
class PendingRequest:
    """One thing that was asked of the engine."""

    description: str
    requested_at: float
    outcome: Callable[[Snapshot], Outcome | None]
    """Reads it from a snapshot; None: it has not come about."""
    pilot_states: dict[str, str] = field(default_factory=dict)
    """What is shown as the state of pilots meanwhile, by ID."""
    reported_late: bool = False


def pilots_request(names: dict[str, str], command: PilotCommand, at: float) -> PendingRequest:
    """Return that pilots (names by ID) were asked to be killed, frozen or thawed."""
    whom = next(iter(names.values())) if len(names) == 1 else count_pilots(len(names))

    def outcome(snapshot: Snapshot) -> Outcome | None:
        states = {pilot.id: pilot.state for pilot in snapshot.pilots}
        if command is PilotCommand.KILL:
            left = [id_ for id_ in names if states.get(id_, "exited") != "exited"]
        else:
            goal = "frozen" if command is PilotCommand.FREEZE else "running"
            left = [id_ for id_ in names if states.get(id_, goal) != goal]
        return None if left else Outcome(f"{whom} {_DONE[command]}")

    meanwhile = dict.fromkeys(names, _STATES_MEANWHILE[command])
    return PendingRequest(f"{command.value} {whom}", at, outcome, meanwhile)


def mode_request(mode: Mode, at: float) -> PendingRequest:
    """Return that the node was asked for a mode."""

    def outcome(snapshot: Snapshot) -> Outcome | None:
        if mode is Mode.ACTIVE:
            return Outcome("the node is active again") if snapshot.mode is mode else None
        modes = tuple(Mode)  # each goes further than the one before
        reached = modes.index(snapshot.mode) >= modes.index(mode)
        count = len(snapshot.pilots)
        goes = "goes on to its end" if count == 1 else "go on to their end"
        left = f"; {count_pilots(count)} {goes}" if count else ""
        return Outcome(f"the node is {snapshot.mode.value}{left}") if reached else None

    descriptions = {Mode.ACTIVE: "resume", Mode.DRAINING: "drain", Mode.STOPPING: "drain and stop"}
    return PendingRequest(descriptions.get(mode, mode.value), at, outcome)


def reload_request(before: Snapshot, at: float) -> PendingRequest:
    """Return that the configuration was asked to be read again."""

    def outcome(snapshot: Snapshot) -> Outcome | None:
        if snapshot.reloads <= before.reloads:
            return None
        if snapshot.config_error:
            return Outcome(f"configuration refused: {snapshot.config_error}", "error")
        same = snapshot.config_revision == before.config_revision
        return Outcome(
            f"configuration read, nothing changed (revision {snapshot.config_revision})"
            if same
            else f"configuration read: revision {snapshot.config_revision} is in force"
        )

    return PendingRequest("reload", at, outcome)


class PendingRequests:
    """All that was asked and has not come about."""

    def __init__(self) -> None:
        """Start empty."""
        self.open: list[PendingRequest] = []

    def add(self, request: PendingRequest) -> None:
        """Remember something that was asked."""
        self.open.append(request)

    def drop(self, request: PendingRequest) -> None:
        """Forget something that was refused."""
        if request in self.open:
            self.open.remove(request)

    def pilot_states(self) -> dict[str, str]:
        """Return what is shown as state of pilots of which something was asked, by ID."""
        return {id_: state for each in self.open for id_, state in each.pilot_states.items()}

    def resolve(self, snapshot: Snapshot, now: float) -> list[Outcome]:
        """Close what came about by the newest snapshot; return that, and what is late."""
        outcomes = []
        for request in tuple(self.open):
            outcome = request.outcome(snapshot)
            if outcome:
                self.open.remove(request)
                outcomes.append(outcome)
            elif now - request.requested_at > LATE_AFTER and not request.reported_late:
                request.reported_late = True
                why = f": Docker is away, {snapshot.degraded}" if snapshot.degraded else ""
                text = f"{request.description}: noted by the engine, and not done yet{why}"
                outcomes.append(Outcome(text, "warning"))
        return outcomes
