"""What other threads ask of the engine's thread."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass, field

from plancton.engine.model.operator import PilotCommand


@dataclass(slots=True)
class Requests:
    """All that was asked since the last tick."""

    quit: bool = False
    """End the loop and leave the pilots as they are."""
    reload: bool = False
    """Read the configuration, even if its file looks unchanged."""
    ended: set[str] = field(default_factory=set)
    """IDs of pilots said to have ended."""
    commands: dict[str, PilotCommand] = field(default_factory=dict)
    """By ID of the pilot; the last one counts."""


class Mailbox:
    """Any thread puts requests in, the engine's takes them out. Nobody waits to put one in."""

    def __init__(self) -> None:
        """Start empty."""
        self._queue: queue.SimpleQueue[Callable[[Requests], None]] = queue.SimpleQueue()

    def wake(self, ended: str = "") -> None:
        """Have the next tick at once; *ended* is the ID of a pilot said to have ended."""
        self._queue.put(lambda requests: requests.ended.update({ended} - {""}))

    def reload(self) -> None:
        """Have the configuration read again, even if its file looks unchanged."""
        self._queue.put(lambda requests: setattr(requests, "reload", True))

    def quit(self) -> None:
        """End the loop and leave the pilots as they are."""
        self._queue.put(lambda requests: setattr(requests, "quit", True))

    def command_pilot(self, pilot: str, command: PilotCommand) -> None:
        """Ask something of one pilot, by its ID."""
        self._queue.put(lambda requests: requests.commands.update({pilot: command}))

    def receive(self, wait: float) -> Requests:
        """Return what was asked, after *wait* seconds or as soon as something is."""
        requests = Requests()
        try:
            self._queue.get(timeout=max(0.0, wait))(requests)
            while True:
                self._queue.get_nowait()(requests)
        except queue.Empty:
            return requests
