"""The engine: observe, decide, act, publish, in one thread that owns all state."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from plancton.config.effective import ConfigState
from plancton.config.evaluate import evaluate
from plancton.config.schema import Config
from plancton.engine.actuator import Actuator
from plancton.engine.bookkeeper import Bookkeeper
from plancton.engine.configurator import Configurator
from plancton.engine.dry_run import preview
from plancton.engine.event_recorder import EventRecorder
from plancton.engine.failures import Failures
from plancton.engine.mailbox import Mailbox
from plancton.engine.model.action import Decision
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import Mode
from plancton.engine.model.policy import Policy
from plancton.engine.model.reason import Code, Reason
from plancton.engine.model.state import State
from plancton.engine.observer import Observer
from plancton.engine.ports import Ports, RuntimeUnavailableError
from plancton.engine.records.accounting import first_cause
from plancton.engine.records.history import History
from plancton.engine.records.metrics import expression_metrics
from plancton.engine.rules.canary import pinned_images
from plancton.engine.rules.decide import decide, decide_safely
from plancton.engine.schedule import Schedule
from plancton.engine.snapshot_builder import Identity, SnapshotBuilder
from plancton.engine.starter import StartAtOnce
from plancton.engine.starts import Starts
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
        self._starts = Starts(ports.starter or StartAtOnce(ports.runtime), ports.runtime)
        self._observer = Observer(ports, restored.held, self._starts)
        self._actuator = Actuator(
            ports,
            self.recorder,
            self.books,
            self.builder,
            self._observer,
            self._starts,
            self._give_sign_of_life,
        )
        self._failures = Failures(ports.clock, self.recorder, self.builder)
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

    @property
    def state(self) -> State:
        """What is carried from tick to tick."""
        return self._actuator.state

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
            self._actuator.leave(self._newest_policy)
            return None
        self._give_sign_of_life()
        if requests.commands:
            self._observer.commands |= requests.commands
            self.save()  # what is to stay frozen stays so whatever happens to us
        wait = self.step(reload=requests.reload, ended=ended | requests.ended)
        self.busy_since = None
        return None if self.finished else wait

    def _give_sign_of_life(self) -> None:
        self.busy_since = self.ports.clock.now()

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
            wait = self._failures.add(
                "Docker is unavailable", str(error), "Docker is available again"
            )
            self.books.cause = "docker away"
            self._publish(str(error), now, wall)
            return wait
        except Exception as error:  # noqa: BLE001 (whatever is wrong, pilots must end in time)
            return self._survive(error, now, wall)
        if self.books.save_is_due:
            self.save()
        return wait

    def _tick(self, now: float, wall: float, ended: frozenset[str], *, reload: bool) -> float:
        state = self._configurator.read(wall, reload=reload)
        self.builder.reloads += reload
        self.builder.mode = self._asked_mode()
        observation = self._observer.observe(now, self.builder.mode, ended)
        self._actuator.state = self.state.put_off(self._observer.slept)
        self._note_disappearances(observation, wall)
        self.builder.observe(observation, now)
        self.books.book_interval(observation, wall)
        self.recorder.images_removed(wall, self.ports.images.take_removed())
        self.recorder.figures(wall, observation.objectives)
        config, here = state.config, expression_metrics(observation, self.history, wall)
        policy = self._newest_policy = self.builder.policy(config, here)
        self._actuator.finish_starts(policy)
        decision = self._decide(observation, policy, now, wall)
        self._actuator.act(decision, policy)
        self.builder.failure = ""
        if not self._starts.any:  # else it is what comes of them that tells
            self._failures.end()
        self.finished = decision.finished
        if self.finished:
            self._close(wall, "no pilot is left, the engine ends as asked")
        self._publish("", now, wall)
        self._last_good_policy = policy
        self._configurator.confirm()
        interval = config.node.interval
        decision = replace(decision, state=self.state)
        awaited, after = self._starts.under_way, self.ports.clock.now()
        return self._schedule.wait(interval, observation, decision, after, starting=awaited)

    def _survive(self, error: Exception, now: float, wall: float) -> float:
        """Go on after a failure that nobody foresaw: pilots still end in time.

        A configuration under which no tick ever went well makes way for the last good one.
        """
        why = f"{type(error).__name__}: {error}"[:500]
        what = "a tick failed, only times to live and commands are obeyed"
        wait = self._failures.add(what, why, "ticks go well again")
        log.debug("a tick failed", exc_info=error)
        self.builder.failure = f"the last tick failed ({why}); this is a bug, please report it"
        try:
            self._end_pilots_in_time(now, wall)
            self.ports.config.reject(f"a tick failed under it: {why}")
            self._publish("", now, wall)
        except Exception as again:
            log.debug("nor could pilots be ended", exc_info=again)
        return wait

    def _end_pilots_in_time(self, now: float, wall: float) -> None:
        """Do what must be done though ticks fail, unless the engine ends with this one anyway."""
        policy, before = self._last_good_policy or self._newest_policy, self.builder.observation
        if self.finished or policy is None or before is None:
            return
        self.builder.mode = self._asked_mode()
        observation = self._observer.observe_pilots(before, self.builder.mode)
        safe = decide_safely(observation, policy, self.state, now)
        self.builder.observe(observation, now)
        self._actuator.do(safe, policy)
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

    def _note_disappearances(self, observation: Observation, wall: float) -> None:
        """Record the pilots that are gone, and were not removed by us."""
        before, reason = self.builder.observation, Reason.of(Code.DISAPPEARED)
        present = {pilot.id for pilot in observation.pilots}
        for pilot in before.pilots if before else ():
            if pilot.id not in present:
                self.recorder.disappeared(wall, pilot, reason)
                self.books.book_disappearance(pilot, reason, wall)

    # --- decide and act -----------------------------------------------------------------

    def _decide(
        self, observation: Observation, policy: Policy, now: float, wall: float
    ) -> Decision:
        decision = self.rule(observation, policy, self.state, now)
        self._actuator.state = decision.state
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

    # --- publish ------------------------------------------------------------------------

    def _publish(self, degraded: str, now: float, wall: float) -> None:
        builder, ports, config = self.builder, self.ports, self._configurator.state
        if config is None:  # nothing can be said before a configuration was read
            return
        builder.requests = ports.runtime.requests + self._starts.requests
        builder.starting, builder.ignored = self._starts.under_way, ports.runtime.ignored
        builder.complaints = ports.runtime.complaints
        builder.protection_note = ports.host.protection_note
        builder.ledger = self.books.ledger
        builder.tick_seconds = ports.clock.now() - now
        builder.sinks = ports.monitor.status()
        self.latest = builder.snapshot(config, self.state, degraded, now, wall)
        ports.monitor.publish(self.latest)
        for subscriber in self.subscribers:
            subscriber(self.latest)
