"""What was asked here, and what came of it: nothing is asked into the void. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.views.snapshot import Snapshot
from plancton.engine.views.text import pilots

PATIENCE = 10.0
"""Seconds after which it is said that something asked has not come about."""
_DOING = {
    PilotCommand.KILL: "killing",
    PilotCommand.FREEZE: "freezing",
    PilotCommand.THAW: "thawing",
}
_DONE = {PilotCommand.KILL: "killed", PilotCommand.FREEZE: "frozen", PilotCommand.THAW: "thawed"}


Level = Literal["information", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Said:
    """One word for the person who asked."""

    text: str
    level: Level = "information"


@dataclass(slots=True)
class PendingRequest:
    """One thing that was asked of the engine."""

    what: str
    at: float
    met: Callable[[Snapshot], Said | None]
    pilots: dict[str, str] = field(default_factory=dict)
    """What is shown as the state of pilots meanwhile."""
    late: bool = False


def command_pilot(names: dict[str, str], wanted: PilotCommand, at: float) -> PendingRequest:
    """Return that pilots (names by ID) were asked to be killed, frozen or thawed."""
    words = next(iter(names.values())) if len(names) == 1 else pilots(len(names))

    def met(now: Snapshot) -> Said | None:
        there = {pilot.id: pilot.state for pilot in now.pilots}
        if wanted is PilotCommand.KILL:
            left = [id_ for id_ in names if there.get(id_, "exited") != "exited"]
        else:
            goal = "frozen" if wanted is PilotCommand.FREEZE else "running"
            left = [id_ for id_ in names if there.get(id_, goal) != goal]
        return None if left else Said(f"{words} {_DONE[wanted]}")

    return PendingRequest(f"{wanted.value} {words}", at, met, dict.fromkeys(names, _DOING[wanted]))


def order(mode: Mode, at: float) -> PendingRequest:
    """Return that the node was asked for a mode."""

    def met(now: Snapshot) -> Said | None:
        if mode is Mode.ACTIVE:
            return Said("the node is active again") if now.mode is mode else None
        order_ = tuple(Mode)
        reached = order_.index(now.mode) >= order_.index(mode)
        count = len(now.pilots)
        goes = "goes on to its end" if count == 1 else "go on to their end"
        left = f"; {pilots(count)} {goes}" if count else ""
        return Said(f"the node is {now.mode.value}{left}") if reached else None

    words = {Mode.ACTIVE: "resume", Mode.DRAINING: "drain", Mode.STOPPING: "drain and stop"}
    return PendingRequest(words.get(mode, mode.value), at, met)


def reload(before: Snapshot, at: float) -> PendingRequest:
    """Return that the configuration was asked to be read again."""

    def met(now: Snapshot) -> Said | None:
        if now.reloads <= before.reloads:
            return None
        if now.config_error:
            return Said(f"configuration refused: {now.config_error}", "error")
        same = now.config_revision == before.config_revision
        return Said(
            f"configuration read, nothing changed (revision {now.config_revision})"
            if same
            else f"configuration read: revision {now.config_revision} is in force"
        )

    return PendingRequest("reload", at, met)


class PendingRequests:
    """All that was asked and has not come about."""

    def __init__(self) -> None:
        """Start empty."""
        self.open: list[PendingRequest] = []

    def add(self, pending: PendingRequest) -> None:
        """Take note of something asked."""
        self.open.append(pending)

    def drop(self, pending: PendingRequest) -> None:
        """Forget something that was refused."""
        if pending in self.open:
            self.open.remove(pending)

    def pilots(self) -> dict[str, str]:
        """Return what is shown as state of pilots of which something was asked, by ID."""
        return {id_: words for each in self.open for id_, words in each.pilots.items()}

    def look(self, now: Snapshot, at: float) -> list[Said]:
        """Return what came of what was asked, by the newest snapshot; and what is late."""
        said = []
        for each in tuple(self.open):
            came = each.met(now)
            if came:
                self.open.remove(each)
                said.append(came)
            elif at - each.at > PATIENCE and not each.late:
                each.late = True
                why = f": Docker is away, {now.degraded}" if now.degraded else ""
                text = f"{each.what}: noted by the engine, and not done yet{why}"
                said.append(Said(text, "warning"))
        return said
