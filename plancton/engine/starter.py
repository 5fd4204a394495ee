"""Starts pilots beside the engine's thread, several at a time."""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue

from plancton.engine.executor import begin
from plancton.engine.model.action import Outcome, Prepare, Spawn
from plancton.engine.ports import Runtime, StartingRuntime

_ALPHABET = string.ascii_lowercase + string.digits


def new_pilot_name(profile: str) -> str:
    """Return a name for a new pilot, as no other one has it."""
    return f"plancton-{profile}-{''.join(random.choices(_ALPHABET, k=6))}"  # noqa: S311 (a name)


class StartAtOnce:
    """Implements ``ports.Starter`` in the engine's own thread, which waits for each start."""

    requests = 0

    def __init__(self, runtime: Runtime) -> None:
        """Start pilots by the engine's own *runtime*, which counts the requests."""
        self._runtime = runtime

    def submit(self, action: Spawn | Prepare) -> str | Outcome:
        """Start a pilot now."""
        return begin(action, self._runtime)

    def take_ended(self) -> Mapping[str, Outcome | Exception]:
        """Return nothing: none is ever under way."""
        return {}

    def join(self, seconds: float) -> None:
        """Return at once, likewise."""


class StartPool:
    """Implements ``ports.Starter`` by threads, as many as there were starts at a time.

    A start that hangs holds its thread, and nobody else. The threads end with the process.
    """

    def __init__(
        self, connect: Callable[[], StartingRuntime], on_end: Callable[[], None] = lambda: None
    ) -> None:
        """Give each thread what *connect* returns; *on_end* is called in it after each start."""
        self.on_end = on_end
        self._connect = connect
        self._runtimes: list[StartingRuntime] = []
        self._submitted: SimpleQueue[tuple[str, Spawn | Prepare] | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._under_way = 0
        self._ended: dict[str, Outcome | Exception] = {}

    @property
    def requests(self) -> int:
        """Requests made so far, by all threads."""
        return sum(runtime.requests for runtime in self._runtimes)

    def submit(self, action: Spawn | Prepare) -> str | Outcome:
        """Hand a start to a thread; returns the name that the pilot will have."""
        name = new_pilot_name(action.profile.name)
        with self._changed:
            self._under_way += 1
            if self._under_way > len(self._runtimes):
                runtime = self._connect()
                self._runtimes.append(runtime)
                label = f"start {len(self._runtimes)}"
                threading.Thread(
                    target=self._work, args=(runtime,), name=label, daemon=True
                ).start()
        self._submitted.put((name, action))
        return name

    def take_ended(self) -> Mapping[str, Outcome | Exception]:
        """Return what came of starts since the last call, by the pilots' names."""
        with self._changed:
            ended, self._ended = self._ended, {}
        return ended

    def join(self, seconds: float) -> None:
        """Wait until none is under way, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, seconds)

    def close(self) -> None:
        """Have idle threads end; those of starts under way end after them."""
        for _ in self._runtimes:
            self._submitted.put(None)

    def _work(self, runtime: StartingRuntime) -> None:
        while submitted := self._submitted.get():
            name, action = submitted
            try:
                outcome: Outcome | Exception = begin(action, runtime, name)
            except Exception as error:  # noqa: BLE001 (the engine's thread raises it)
                outcome = error
            with self._changed:
                self._ended[name] = outcome
                self._under_way -= 1
                self._changed.notify_all()
            self.on_end()
        runtime.close()
