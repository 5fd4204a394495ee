"""Keeps history and ledger of the node, and has them saved."""

from __future__ import annotations

from plancton.engine.model.action import Outcome
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.operator import PilotCommand
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.reason import Reason
from plancton.engine.model.state import Overcommit, State
from plancton.engine.ports import Clock, StateStore
from plancton.engine.records.accounting import account_of, cause, elapsed, interval, reclaimed
from plancton.engine.records.ledger import Account
from plancton.engine.records.metrics import levels
from plancton.engine.records.persistent_state import PersistentState

SAVE_EVERY = 60.0


class Bookkeeper:
    """Books the time between ticks, and the outcomes of actions."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        """Go on from what *store* kept."""
        self._store, self._clock = store, clock
        self.restored = store.load()
        self.history, self.ledger = self.restored.history, self.restored.ledger
        self.cause = "starting"
        """Why cores stay idle from now on."""
        self._booked: HostSample | None = None
        self._swapped: dict[str, int] = {}
        self._saved_at = clock.now()

    def restored_state(self) -> State:
        """Return the state to start with: what outlived the last engine."""
        kept = self.restored
        overcommit = Overcommit(kept.overcommit)
        return State(rollouts=kept.rollouts, used=kept.used, overcommit=overcommit)

    def book_interval(self, observation: Observation, wall: float) -> None:
        """Take the time since the last observation into history and ledger."""
        before, self._booked = self._booked, observation.host
        span = elapsed(before, observation.host)
        if span and observation.load is not None:
            self.history = self.history.add(wall, span, levels(observation))
        self._enter(interval(before, observation, self.cause), wall)
        if before is not None:  # what was in swap when we came is not ours
            self._enter(Account(reclaimed=reclaimed(self._swapped, observation.pilots)), wall)
        self._swapped = {p.id: p.swapped for p in observation.pilots if p.swapped}

    def book_outcome(self, outcome: Outcome, state: State, wall: float) -> Account:
        """Take an action that was carried out into the ledger; returns its account."""
        entry = account_of(outcome, state, self._clock.now())
        self._enter(entry, wall)
        return entry

    def book_disappearance(self, pilot: Pilot, reason: Reason, wall: float) -> None:
        """Take a pilot that is gone, and not by us, into the ledger."""
        began = pilot.created_at if pilot.started_at is None else pilot.started_at
        lived = max(0.0, self._clock.now() - began)
        self._enter(Account(ended={cause(reason): 1}, lived=lived), wall)

    def _enter(self, entry: Account, wall: float) -> None:
        if entry != Account():
            self.ledger = self.ledger.book(entry, self._clock.day(), wall)

    @property
    def save_is_due(self) -> bool:
        """Whether the last save was long ago."""
        return self._clock.now() - self._saved_at >= SAVE_EVERY

    def save(self, state: State, commands: dict[str, PilotCommand]) -> None:
        """Have kept what outlives this engine."""
        self._saved_at = self._clock.now()
        held = frozenset(id_ for id_, each in commands.items() if each is PilotCommand.FREEZE)
        kept = PersistentState(
            self.history,
            self.ledger,
            state.rollouts,
            state.used,
            overcommit=state.overcommit.factor,
            held=held,
        )
        self._store.save(kept)
