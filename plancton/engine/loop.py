"""The engine: observe, decide, act, publish, in one thread that owns all state."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from plancton.config.effective import ConfigState
from plancton.config.evaluate import evaluate, names_for
from plancton.config.expressions import ExpressionError
from plancton.config.schema import Config
from plancton.engine.binder import bind_pilots, hold_pilots
from plancton.engine.bookkeeper import Bookkeeper
from plancton.engine.configurator import Configurator
from plancton.engine.dry_run import preview
from plancton.engine.event_recorder import EventRecorder
from plancton.engine.executor import execute
from plancton.engine.mailbox import Mailbox
from plancton.engine.model.action import Action, Decision, Outcome, PilotAction, Spawn
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import Mode
from plancton.engine.model.placement import Placement
from plancton.engine.model.policy import Policy
from plancton.engine.model.quotas import Quotas
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import Overcommit, State
from plancton.engine.observer import Observer
from plancton.engine.ports import ActionError, Ports, RuntimeUnavailableError
from plancton.engine.records.accounting import first_cause
from plancton.engine.records.history import History
from plancton.engine.records.metrics import expression_metrics
from plancton.engine.rules.apply_outcomes import apply_outcome
from plancton.engine.rules.canary import pinned_images
from plancton.engine.rules.decide import decide, decide_safely
from plancton.engine.rules.placement import all_unbound, binding_failed
from plancton.engine.rules.quotas import quota_refused
from plancton.engine.schedule import Schedule, retry_after
from plancton.engine.snapshot_builder import Identity, SnapshotBuilder
from plancton.engine.views.preview import Preview
from plancton.engine.views.snapshot import Snapshot

log = logging.getLogger("plancton")

Rule = Callable[[Observation, Policy, State, float], Decision]


class Engine:
    """One node's loop. ``step`` is one tick; ``run`` only waits between them."""

    def __init__(
        self,
        ports: Ports,
        identity: Identity,
        subscribers: tuple[Callable[[Snapshot], None], ...] = (),
        rule: Rule = decide,
    ) -> None:
        """Build an engine; nothing happens before the first ``step``."""
        self.ports, self.identity, self.subscribers = ports, identity, subscribers
        self.rule = rule
        self.books = Bookkeeper(ports.state_store, ports.clock)
        restored = self.books.restored
        overcommit = Overcommit(restored.overcommit)
        self.state = State(rollouts=restored.rollouts, used=restored.used, overcommit=overcommit)
        self.recorder = EventRecorder(ports.monitor.publish)
        self.builder = SnapshotBuilder(identity, self.recorder)
        self._configurator = Configurator(ports, self.recorder)
        self.finished = False
        self.latest: Snapshot | None = None
        self.busy_since: float | None = None
        """When the tick under way began; None between ticks."""
        self._mailbox, self._schedule = Mailbox(), Schedule()
        self.wake, self.reload = self._mailbox.wake, self._mailbox.reload
        self.quit, self.command_pilot = self._mailbox.quit, self._mailbox.command_pilot
        self._requested_mode = Mode.ACTIVE
        self._observer = Observer(ports, restored.held)
        self._failures, self._recovered = 0, ""
        self._last_good_policy: Policy | None = None
        self._newest_policy: Policy | None = None
        self._mode: Mode | None = None

    # --- other threads call these -------------------------------------------------------

    @property
    def configuration(self) -> ConfigState | None:
        """The configuration as of the last tick; None before the first."""
        return self._configurator.state

    @property
    def history(self) -> History:
        """The node's own past, as of the last tick."""
        return self.books.history

    def request_mode(self, mode: Mode) -> None:
        """Ask for a mode beside the one that is kept on disk, until the engine ends."""
        self._requested_mode = mode
        self.wake()

    def preview(self, config: Config) -> Preview:
        """Say what the next tick would do under another configuration.

        RuntimeUnavailableError if the node has not been observed yet, ExpressionError if the
        configuration cannot be evaluated here.
        """
        observation, at = self.builder.observation, self.builder.observed_at
        if observation is None:
            raise RuntimeUnavailableError("the node has not been seen yet")
        here = expression_metrics(observation, self.history, self.ports.clock.wall())
        return preview(observation, Policy.of(config, evaluate(config, here)), self.state, at)

    # --- the loop -----------------------------------------------------------------------

    def run(self) -> None:
        """Tick until asked to quit, or finished."""
        wait: float | None = 0.0
        try:
            while wait is not None:
                wait = self.turn(wait)
        finally:
            self.save()

    def turn(self, wait: float, ended: frozenset[str] = frozenset()) -> float | None:
        """Tick after *wait* seconds, sooner if asked something; returns the next wait.

        None: it is over. *ended* are the IDs of pilots said to have ended.
        """
        requests = self._mailbox.receive(wait)
        if requests.quit:
            self._unbind()
            self._discard_spares()
            return None
        self.busy_since = self.ports.clock.now()
        if requests.commands:
            self._observer.commands |= requests.commands
            self.save()  # what is to stay frozen stays so whatever happens to us
        wait = self.step(reload=requests.reload, ended=ended | requests.ended)
        self.busy_since = None
        return None if self.finished else wait

    def step(self, *, reload: bool = False, ended: frozenset[str] = frozenset()) -> float:
        """Do one tick; returns the seconds until the next is due.

        *reload* reads the configuration even if its file looks unchanged; *ended* are the IDs
        of pilots said to have ended.
        """
        self.builder.tick += 1
        now, wall = self.ports.clock.now(), self.ports.clock.wall()
        try:
            wait = self._tick(now, wall, ended, reload=reload)
        except RuntimeUnavailableError as error:
            self._count_failure("Docker is unavailable", str(error), wall)
            self._recovered = "Docker is available again"
            self.books.cause = "docker away"
            self._publish(str(error), now, wall)
            return retry_after(self._failures)
        except Exception as error:  # noqa: BLE001 (whatever is wrong, pilots must end in time)
            return self._survive(error, now, wall)
        if self.books.save_is_due:
            self.save()
        return wait

    def _tick(self, now: float, wall: float, ended: frozenset[str], *, reload: bool) -> float:
        config = self._configurator.read(wall, reload=reload)
        self.builder.reloads += reload
        self.builder.mode = self._asked_mode()
        observation = self._observer.observe(now, self.builder.mode, ended)
        self.state = self.state.put_off(self._observer.slept)
        self._note_disappearances(observation, wall)
        self.builder.observe(observation, now)
        self.books.book_interval(observation, wall)
        self.recorder.images_removed(wall, self.ports.images.take_removed())
        self.recorder.figures(wall, observation.objectives)
        policy = self._newest_policy = self._policy(config, observation, wall)
        decision = self._decide(observation, policy, now, wall)
        self._hold(decision.quotas, wall)
        if self._act(decision, policy, wall) or not decision.placement.spread:
            self._bind(decision.placement, wall)
        self._note_recovery(wall)
        self.finished = decision.finished
        if self.finished:
            self._close(wall, "no pilot is left, the engine ends as asked")
        self._publish("", now, wall)
        self._last_good_policy = policy
        self._configurator.confirm()
        interval = config.config.node.interval
        decision = replace(decision, state=self.state)
        return self._schedule.wait(interval, observation, decision, self.ports.clock.now())

    def _count_failure(self, what: str, error: str, wall: float) -> None:
        self._failures += 1
        self.builder.errors += 1
        if self._failures == 1:
            self.recorder.event(wall, what, logging.ERROR, error=error)

    def _note_recovery(self, wall: float) -> None:
        if self._failures:
            self.recorder.event(wall, self._recovered, failed_tries=self._failures)
        self._failures, self.builder.failure = 0, ""

    def _survive(self, error: Exception, now: float, wall: float) -> float:
        """Go on after a failure that nobody foresaw: pilots still end in time.

        A configuration under which no tick ever went well makes way for the last good one.
        """
        why = f"{type(error).__name__}: {error}"[:500]
        self._count_failure("a tick failed, only times to live and commands are obeyed", why, wall)
        log.debug("a tick failed", exc_info=error)
        self._recovered = "ticks go well again"
        self.builder.failure = f"the last tick failed ({why}); this is a bug, please report it"
        try:
            self._end_pilots_in_time(now, wall)
            self.ports.config.reject(f"a tick failed under it: {why}")
            self._publish("", now, wall)
        except Exception as again:
            log.debug("nor could pilots be ended", exc_info=again)
        return retry_after(self._failures)

    def _end_pilots_in_time(self, now: float, wall: float) -> None:
        """Do what must be done though ticks fail, unless the engine ends with this one anyway."""
        policy, before = self._last_good_policy or self._newest_policy, self.builder.observation
        if self.finished or policy is None or before is None:
            return
        self.builder.mode = self._asked_mode()
        observation = self._observer.observe_pilots(before, self.builder.mode)
        safe = decide_safely(observation, policy, self.state, now)
        self.builder.observe(observation, now)
        self._act(safe, policy, wall)
        self.finished = safe.finished
        if self.finished:
            self._close(
                wall,
                "no pilot runs, the engine ends as asked; the next start removes what is left "
                "of those that ended",
            )

    def _asked_mode(self) -> Mode:
        """Return the operator's word: the stronger of the one kept on disk and this process's."""
        kept = self.ports.mode_store.mode()
        return max(kept, self._requested_mode, key=lambda mode: mode.rank)

    def _close(self, wall: float, why: str) -> None:
        self.ports.mode_store.fulfilled(self.ports.mode_store.mode())
        self.recorder.event(wall, why)

    def save(self) -> None:
        """Have kept what outlives this engine."""
        self.books.save(self.state, self._observer.commands)

    # --- observe ------------------------------------------------------------------------

    def _note_disappearances(self, observation: Observation, wall: float) -> None:
        """Record the pilots that are gone, and were not removed by us."""
        before, reason = self.builder.observation, Reason.of(Code.DISAPPEARED)
        present = {pilot.id for pilot in observation.pilots}
        for pilot in before.pilots if before else ():
            if pilot.id not in present:
                self.recorder.disappeared(wall, pilot, reason)
                self.books.book_disappearance(pilot, reason, wall)

    def _policy(self, state: ConfigState, observation: Observation, wall: float) -> Policy:
        config, builder = state.config, self.builder
        here = expression_metrics(observation, self.history, wall)
        builder.names = names_for(config, here)
        try:
            builder.values = evaluate(config, here)
            builder.trouble = ""
        except ExpressionError as error:
            builder.trouble = f"{error}; the last value stays"
        return Policy.of(config, builder.values)

    # --- decide and act -----------------------------------------------------------------

    def _decide(
        self, observation: Observation, policy: Policy, now: float, wall: float
    ) -> Decision:
        decision = self.rule(observation, policy, self.state, now)
        self.state = decision.state
        mode = observation.mode
        if mode is not (self._mode or Mode.ACTIVE):
            self.recorder.event(wall, f"the node is {mode.value}")
        self._mode = mode
        self.recorder.findings(wall, decision.findings)
        self.books.cause = first_cause(decision.findings)
        for reference in decision.refresh:
            self.ports.images.refresh(reference)
        self.ports.images.pin(pinned_images(self.state.rollouts, policy))
        self.ports.host.enforce(decision.bounds)
        self.ports.host.reclaim(decision.reclaim)
        self.builder.decision = decision
        return decision

    def _act(self, decision: Decision, policy: Policy, wall: float) -> bool:
        """Carry the actions out; returns whether all starts went as decided."""
        failed: set[str] = set()
        bindable = True
        for action in sorted(decision.actions, key=lambda action: action.urgency):
            if isinstance(action, Spawn) and action.profile.name in failed:
                continue
            self.busy_since = self.ports.clock.now()  # each action is a sign of life
            outcome = execute(action, self.ports.runtime, self.ports.images, bind=bindable)
            bindable = bindable and not outcome.not_bound
            self._apply(action, outcome, policy, wall)
            if isinstance(action, Spawn) and outcome.error:
                failed.add(action.profile.name)
        return bindable and not failed

    def _hold(self, quotas: Quotas, wall: float) -> None:
        """Have pilots held to the cores that they may use now."""
        seen = self.builder.observation
        if seen is None or not quotas.cores:
            return
        pilots, error = hold_pilots(seen.pilots, quotas.cores, self.ports.runtime)
        self.builder.observation = replace(seen, pilots=pilots)
        if error:
            self.state = quota_refused(self.state, error, self.ports.clock.now())
            self.recorder.event(
                wall, "CPU limits of pilots cannot be changed", logging.WARNING, error=error
            )
        else:
            self.state = replace(self.state, quota_failure=None)
            self.recorder.event(wall, quotas.text, changed=len(quotas.cores))

    def _bind(self, placement: Placement, wall: float) -> None:
        """Have pilots on their CPUs, and unbound ones on all."""
        seen = self.builder.observation
        if seen is None or not placement.cpus:
            return
        pilots, error = bind_pilots(seen.pilots, placement.cpus, self.ports.runtime)
        self.builder.observation = replace(seen, pilots=pilots)
        if error:
            self._note_unbound(error, wall)
        else:
            self.state = replace(self.state, bind_failure=None)

    def _note_unbound(self, error: str, wall: float) -> None:
        self.state = binding_failed(self.state, error, self.ports.clock.now())
        self.recorder.event(wall, "pilots cannot be bound to cores", logging.WARNING, error=error)

    def _unbind(self) -> None:
        """Leave the pilots as nobody had bound them: they stay, and this engine ends."""
        seen = self.builder.observation
        if seen is not None:
            with suppress(RuntimeUnavailableError):
                self._bind(all_unbound(seen), self.ports.clock.wall())

    def _discard_spares(self) -> None:
        """Leave no spare behind: nobody starts pilots in them, and this engine ends."""
        with suppress(RuntimeUnavailableError):
            for spare in self.ports.runtime.spares:
                with suppress(ActionError):
                    self.ports.runtime.discard(spare)

    def _apply(self, action: Action, outcome: Outcome, policy: Policy, wall: float) -> None:
        self.recorder.outcome(wall, outcome, self.state)
        by_operator = action.reason.code is Code.PILOT_COMMAND
        if outcome.error and by_operator and isinstance(action, PilotAction):
            self._observer.commands.pop(action.pilot.id, None)  # refused once is refused
        if outcome.not_bound:
            self._note_unbound(outcome.not_bound, wall)
        entry = self.books.book_outcome(outcome, self.state, wall)
        self.state = apply_outcome(self.state, outcome, policy, self.ports.clock.now())
        self.builder.apply(outcome, entry)

    # --- publish ------------------------------------------------------------------------

    def _publish(self, degraded: str, now: float, wall: float) -> None:
        builder, ports, config = self.builder, self.ports, self._configurator.state
        if config is None:  # nothing can be said before a configuration was read
            return
        builder.requests, builder.ignored = ports.runtime.requests, ports.runtime.ignored
        builder.complaints = ports.runtime.complaints
        builder.protection_note = ports.host.protection_note
        builder.ledger = self.books.ledger
        builder.tick_seconds = ports.clock.now() - now
        builder.sinks = ports.monitor.status()
        self.latest = builder.snapshot(config, self.state, degraded, now, wall)
        ports.monitor.publish(self.latest)
        for subscriber in self.subscribers:
            subscriber(self.latest)
