"""Carries decisions out, and remembers what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from plancton.engine.binder import Binder
from plancton.engine.bookkeeper import Bookkeeper
from plancton.engine.event_recorder import EventRecorder
from plancton.engine.executor import execute
from plancton.engine.model.action import Decision, Discard, Outcome, PilotAction, Prepare, Spawn
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code
from plancton.engine.observer import Observer
from plancton.engine.ports import ActionError, Ports, RuntimeUnavailableError
from plancton.engine.rules.apply_outcomes import apply_outcome
from plancton.engine.snapshot_builder import SnapshotBuilder
from plancton.engine.starts import Starts

LAST_STARTS = 5.0
"""Seconds for which an engine that ends waits for starts under way, so that they are whole."""


class Actuator:
    """The engine's hands, and its state: only what was done changes it between decisions."""

    def __init__(
        self,
        ports: Ports,
        recorder: EventRecorder,
        books: Bookkeeper,
        builder: SnapshotBuilder,
        observer: Observer,
        starts: Starts,
        sign_of_life: Callable[[], None],
    ) -> None:
        """Start with what *books* kept; *sign_of_life* is called before each action."""
        self.state = books.restored_state()
        self._ports, self._recorder, self._books = ports, recorder, books
        self._builder, self._observer, self._starts = builder, observer, starts
        self._sign_of_life = sign_of_life
        self._binder = Binder(ports.runtime, ports.clock, recorder)

    def act(self, decision: Decision, policy: Policy) -> None:
        """Carry a decision out. RuntimeUnavailableError passes through: the rest is void."""
        seen = self._builder.observation
        if seen is not None:
            self._builder.observation, self.state = self._binder.hold(
                seen, decision.quotas, self.state
            )
        if self.do(decision, policy) or not decision.placement.spread:
            self._bind(decision.placement.cpus)

    def do(self, decision: Decision, policy: Policy) -> bool:
        """Do the actions only; returns whether all starts can be counted on."""
        failed: set[str] = set()
        bindable = True
        for action in sorted(decision.actions, key=lambda action: action.urgency):
            self._sign_of_life()
            if isinstance(action, PilotAction | Discard):
                self._apply(execute(action, self._ports.runtime), policy)
            elif isinstance(action, Prepare) or action.profile.name not in failed:
                start = action
                if isinstance(action, Spawn) and not bindable:
                    start = replace(action, cpus=())
                outcome = self._starts.begin(start, self._ports.clock.now())
                if outcome is None:
                    continue
                self._apply(outcome, policy)
                bindable = bindable and not outcome.not_bound
                if outcome.error and isinstance(action, Spawn):
                    failed.add(action.profile.name)
        probing = any(s.profile.name in self.state.backoffs for s in self._starts.under_way)
        return bindable and not failed and not probing

    def finish_starts(self, policy: Policy) -> list[Pilot]:
        """Take what came of starts that were under way; what they raised is raised here."""
        came = []
        for outcome in self._starts.take_outcomes():
            self._apply(outcome, policy)
            came += [outcome.started] if outcome.started else []
        return came

    def leave(self, policy: Policy | None) -> None:
        """Leave the pilots, those included that are starting, as if nobody had bound them.

        No spare is left: nobody starts pilots in them any more.
        """
        spares_come = bool(self._starts.preparing)
        self._starts.wait(LAST_STARTS)
        seen = self._builder.observation
        if seen is None or policy is None:
            return
        came: list[Pilot] = []
        with suppress(RuntimeUnavailableError):
            came = self.finish_starts(policy)
        known = {pilot.id for pilot in seen.pilots}
        pilots = (*seen.pilots, *(pilot for pilot in came if pilot.id not in known))
        self.state = self._binder.unbind(replace(seen, pilots=pilots), self.state)
        self._discard_spares(look=spares_come)

    def _discard_spares(self, *, look: bool) -> None:
        runtime = self._ports.runtime
        with suppress(RuntimeUnavailableError):
            if look:
                runtime.pilots()
            for spare in runtime.spares:
                with suppress(ActionError):
                    runtime.discard(spare)

    def _apply(self, outcome: Outcome, policy: Policy) -> None:
        action, wall = outcome.action, self._ports.clock.wall()
        self._recorder.outcome(wall, outcome, self.state)
        if outcome.image_missing and isinstance(action, Spawn):
            self._ports.images.missing(action.profile.image)
        by_operator = action.reason.code is Code.PILOT_COMMAND
        if outcome.error and by_operator and isinstance(action, PilotAction):
            self._observer.commands.pop(action.pilot.id, None)  # refused once is refused
        if outcome.not_bound:
            self.state = self._binder.refused(self.state, outcome.not_bound)
        entry = self._books.book_outcome(outcome, self.state, wall)
        self.state = apply_outcome(self.state, outcome, policy, self._ports.clock.now())
        self._builder.apply(outcome, entry)

    def _bind(self, cpus: Mapping[str, tuple[int, ...]]) -> None:
        """Have pilots on their CPUs, and unbound ones on all."""
        seen = self._builder.observation
        if seen is not None:
            self._builder.observation, self.state = self._binder.bind(seen, cpus, self.state)
