"""How the TUI, the command line and the control socket hold an engine, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from plancton.engine.errors import NotRunningError, RefusedError, UnreachableError
from plancton.engine.views.snapshot import Snapshot

if TYPE_CHECKING:
    from plancton.config.effective import Setting
    from plancton.engine.model.operator import Mode, PilotCommand
    from plancton.engine.records.history import History
    from plancton.engine.views.fleet import Member
    from plancton.engine.views.preview import Preview

__all__ = [
    "EngineApi",
    "Item",
    "LogRecord",
    "Lost",
    "NotRunningError",
    "RefusedError",
    "UnreachableError",
    "find_pilot",
]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line of the log."""

    wall: float
    level: str
    text: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lost:
    """A reader was too slow: so many log records were dropped for it."""

    records: int


Item = Snapshot | LogRecord | Lost | None
"""What a stream holds; None now and then: nothing happened."""


class EngineApi(Protocol):
    """An engine, in this process or another. Methods raise NotRunningError or RefusedError."""

    def snapshot(self) -> Snapshot:
        """Return its newest snapshot."""

    def health(self) -> str:
        """Return what is wrong with it; empty: nothing."""

    def stream(self) -> Iterator[Item]:
        """Yield the newest snapshot, then each new one and each log record, until it ends.

        A slow reader misses snapshots, and is told how many records it lost.
        """

    def order(self, mode: Mode) -> None:
        """Set the operator's standing word: ACTIVE, DRAINING, STOPPING or FORCED."""

    def stop(self) -> None:
        """End the engine as SIGTERM does; a second time it leaves its pilots and ends."""

    def reload(self) -> None:
        """Have the configuration read (and fetched) again."""

    def command_pilot(self, pilot: str, command: PilotCommand) -> str:
        """Ask something of one pilot, by its name or the beginning of its ID; returns its name."""

    def logs(self, pilot: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield a pilot's own output: the last *tail* lines, and what follows."""

    def history(self) -> History:
        """Return the node's own past, a day of it."""

    def fleet(self) -> tuple[Member, ...]:
        """Return all nodes that report to this one's database, those in trouble first."""

    def settings(self) -> tuple[Setting, ...]:
        """Return the configuration in force, key by key."""

    def preview(self, text: str, *, remote: bool = False) -> Preview:
        """Say what the next tick would do with *text* as the local, or the remote, file."""


def find_pilot(snapshot: Snapshot, word: str) -> tuple[str, str]:
    """Return ID and name of the pilot that *word* means; RefusedError if there is none, or two."""
    exact = [pilot for pilot in snapshot.pilots if word in (pilot.name, pilot.id)]
    found = exact or [pilot for pilot in snapshot.pilots if word and pilot.id.startswith(word)]
    if not found:
        raise RefusedError(f"no pilot is called {word}; plancton pilots lists them")
    if len(found) > 1:
        names = ", ".join(pilot.name for pilot in found)
        raise RefusedError(f"{word} may be each of {names}")
    return found[0].id, found[0].name or found[0].id[:12]
