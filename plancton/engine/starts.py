"""The starts under way, and what came of them, as the engine's thread sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from plancton.engine.executor import start_in_spare
from plancton.engine.model.action import Outcome, Prepare, Spawn, Starting
from plancton.engine.ports import Runtime, Starter


class Starts:
    """Remembers which starts are under way. Only the engine's thread uses it."""

    def __init__(self, starter: Starter, runtime: Runtime) -> None:
        """Start pilots by *starter*, and in the spares that *runtime* has."""
        self._starter, self._runtime = starter, runtime
        self._begun_at: dict[str, float] = {}
        self._pilots: dict[str, Starting] = {}
        self.preparing: dict[str, str] = {}
        """Profiles of the spares that are being made, by the name of the pilot to come."""
        self._outcomes: list[Outcome] = []
        self._failure: Exception | None = None

    @property
    def under_way(self) -> tuple[Starting, ...]:
        """Starts of pilots of which nothing has come yet, the earliest first."""
        return tuple(self._pilots.values())

    @property
    def any(self) -> bool:
        """Whether anything is under way, spares included."""
        return bool(self._begun_at)

    @property
    def requests(self) -> int:
        """Requests made so far."""
        return self._starter.requests

    def begin(self, action: Spawn | Prepare, now: float) -> Outcome | None:
        """Begin a start; returns what came of it, None while it is under way.

        In a spare a pilot starts at once. Raises RuntimeUnavailableError.
        """
        if isinstance(action, Spawn):
            outcome = start_in_spare(action, self._runtime)
            if outcome is not None:
                return outcome
        begun = self._starter.submit(action)
        if isinstance(begun, Outcome):
            return begun
        self._begun_at[begun] = now
        if isinstance(action, Spawn):
            self._pilots[begun] = Starting(begun, action, now)
        else:
            self.preparing[begun] = action.profile.name
        return None

    def collect(self) -> None:
        """Take note of the starts that are over.

        What one of them raised before the last call is forgotten: the tick after it was void.
        """
        self._failure = None
        for name, ended in self._starter.take_ended().items():
            begun_at = self._begun_at.pop(name)
            self._pilots.pop(name, None)
            self.preparing.pop(name, None)
            if isinstance(ended, Outcome):
                self._outcomes.append(replace(ended, begun_at=begun_at))
            else:
                self._failure = ended

    def take_outcomes(self) -> Iterator[Outcome]:
        """Yield what came of starts, each once; then raise what one of them raised, if any did."""
        while self._outcomes:
            yield self._outcomes.pop(0)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def wait(self, seconds: float) -> None:
        """Wait for the starts under way, at most so long, and take note of those that are over."""
        if self.any:
            self._starter.join(seconds)
            self.collect()
