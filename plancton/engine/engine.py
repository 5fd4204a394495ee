"""The engine: observe, decide, act, publish, in one thread that owns all state."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from plancton.config.expressions import ExpressionError
from plancton.config.policy import evaluate, names_of
from plancton.config.schema import Config
from plancton.config.state import ConfigState
from plancton.engine.accounts import elapsed, first_cause, interval, outcome_of
from plancton.engine.actions import Action, Decision, Outcome, Spawn
from plancton.engine.actuate import actuate, order
from plancton.engine.decide import decide
from plancton.engine.diary import Diary
from plancton.engine.figures import levels, names
from plancton.engine.ledger import Account
from plancton.engine.load import RECENT, WINDOW, cpu_load, remember
from plancton.engine.memory import Memory
from plancton.engine.model import (
    HostSample,
    Mode,
    Observation,
    PilotState,
    Policy,
    Protection,
    Wish,
)
from plancton.engine.ports import (
    Clock,
    ConfigSource,
    Host,
    Images,
    Keeper,
    Monitor,
    NoMonitor,
    Orders,
    Runtime,
    RuntimeUnavailableError,
)
from plancton.engine.preview import Preview, policy_of, preview
from plancton.engine.reasons import Code
from plancton.engine.round import ENDS_WHEN_EMPTY
from plancton.engine.settle import settle
from plancton.engine.snapshot import Snapshot
from plancton.engine.state import State
from plancton.engine.view import Identity, Told

FIRST_LOOK = 1.0
"""Seconds between ticks until the foreground has been measured over a whole window, while pilots
are frozen, and without the idle class."""
LOOK_FOR_ROOM, LOOK_FOR_ROOM_UNTIL = 0.5, 60.0
"""Seconds between ticks while a pilot waits for the foreground to leave it room, and for how
long: bursts pass soon, and a busy owner is not to be disturbed by our looking."""
SAVE_EVERY = 60.0
Rule = Callable[[Observation, Policy, State, float], Decision]
_RETRY_LONGEST = 30.0
_ENDING_LOOK = 0.2
_MODES = tuple(Mode)
Letter = tuple[str, str]
"""What other threads ask: wake, reload, quit, or a Wish, and the pilot it is about."""


@dataclass(frozen=True, slots=True)
class World:
    """All that the engine touches."""

    runtime: Runtime
    host: Host
    images: Images
    config: ConfigSource
    orders: Orders
    clock: Clock
    keeper: Keeper
    monitor: Monitor = field(default_factory=NoMonitor)


class Engine:
    """One node's loop. ``step`` is one tick; ``run`` only waits between them."""

    def __init__(
        self,
        world: World,
        identity: Identity,
        subscribers: tuple[Callable[[Snapshot], None], ...] = (),
        rule: Rule = decide,
    ) -> None:
        """Build an engine; nothing happens before the first ``step``."""
        self.world, self.identity, self.subscribers = world, identity, subscribers
        self.rule = rule
        memory = world.keeper.load()
        self.history, self.ledger = memory.history, memory.ledger
        self.state = State(rollouts=memory.rollouts, used=memory.used)
        self._booked: HostSample | None = None
        self._cause = "starting"
        self._saved_at = world.clock.now()
        self.diary = Diary(world.monitor.take)
        self.finished = False
        self.latest: Snapshot | None = None
        self._mailbox: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._asked = Mode.ACTIVE
        self._wishes = dict.fromkeys(memory.held, Wish.FREEZE)
        self.busy_since: float | None = None
        """When the tick under way began; None between ticks."""
        self._failures = 0
        self._room_missed_at: float | None = None
        self._said: tuple[str, ...] = ()
        self._mode: Mode | None = None
        self._config: ConfigState | None = None
        self.told = Told(identity, self.diary)

    # --- other threads call these -------------------------------------------------------

    @property
    def configuration(self) -> ConfigState | None:
        """The configuration as of the last tick; None before the first."""
        return self._config

    def wake(self, ended: str = "") -> None:
        """Have the next tick at once; *ended* is the ID of a pilot said to have ended."""
        self._mailbox.put(("wake", ended))

    def reload(self) -> None:
        """Have the configuration read again, even if its file looks unchanged."""
        self._mailbox.put(("reload", ""))

    def quit(self) -> None:
        """End the loop and leave the pilots as they are."""
        self._mailbox.put(("quit", ""))

    def wish(self, pilot: str, wish: Wish) -> None:
        """Ask something of one pilot, by its ID."""
        self._mailbox.put((wish.value, pilot))

    def preview(self, config: Config) -> Preview:
        """Say what the next tick would do under another configuration.

        RuntimeUnavailableError if the node has not been seen yet, ExpressionError if the
        configuration cannot be evaluated here.
        """
        seen, at = self.told.observation, self.told.observed_at
        if seen is None:
            raise RuntimeUnavailableError("the node has not been seen yet")
        here = names(seen, self.history, self.world.clock.wall())
        return preview(seen, policy_of(config, evaluate(config, here)), self.state, at)

    def ask(self, mode: Mode) -> None:
        """Ask for a mode beside the standing orders, until the engine ends."""
        self._asked = mode
        self.wake()

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
        letters = self._letters(wait)
        if ("quit", "") in letters:
            return None
        self.busy_since = self.world.clock.now()
        self._note_wishes(letters)
        ended |= {id_ for what, id_ in letters if what == "wake" and id_}
        wait = self.step(reload=("reload", "") in letters, ended=ended)
        self.busy_since = None
        return None if self.finished else wait

    def _note_wishes(self, letters: list[Letter]) -> None:
        wishes = {id_: Wish(what) for what, id_ in letters if what in tuple(Wish)}
        if wishes:
            self._wishes |= wishes
            self.save()  # what is to stay frozen stays so whatever happens to us

    def _letters(self, wait: float) -> list[Letter]:
        letters = []
        try:
            letters.append(self._mailbox.get(timeout=max(0.0, wait)))
            while True:
                letters.append(self._mailbox.get_nowait())
        except queue.Empty:
            return letters

    def step(self, *, reload: bool = False, ended: frozenset[str] = frozenset()) -> float:
        """Do one tick; returns the seconds until the next is due.

        *reload* reads the configuration even if its file looks unchanged; *ended* are the IDs
        of pilots said to have ended.
        """
        self.told.tick += 1
        spawned = self.told.spawned
        now, wall = self.world.clock.now(), self.world.clock.wall()
        config = self._configured(wall, reload=reload)
        self.told.reloads += reload
        self.told.mode = max(self.world.orders.mode(), self._asked, key=_MODES.index)
        try:
            observation = self._observe(now, ended)
            self._book(observation, wall)
            policy = self._policy(config, observation, wall)
            decision = self._decide(observation, policy, now, wall)
            self._act(decision, policy, wall)
        except RuntimeUnavailableError as error:
            self._failures += 1
            self.told.errors += 1
            self._cause = "docker away"
            if self._failures == 1:
                self.diary.note(wall, "Docker is unavailable", logging.ERROR, error=str(error))
            self._publish(config, str(error), now, wall)
            return float(min(_RETRY_LONGEST, 2 ** min(self._failures - 1, 10)))
        if self._failures:
            self.diary.note(wall, "Docker is available again", failed_tries=self._failures)
        self._failures = 0
        self.finished = decision.finished
        if self.finished:
            self._close(wall)
        if now - self._saved_at >= SAVE_EVERY:
            self.save()
        self._publish(config, "", now, wall)
        return self._wait(config, observation, decision, spawned)

    def _wait(
        self, config: ConfigState, seen: Observation, decision: Decision, spawned: int
    ) -> float:
        due = config.config.node.interval
        measuring = seen.load is None or seen.load.span < WINDOW
        unprotected = seen.host.protection is Protection.WEIGHT_ONLY
        # What was started is shown soon, whatever the interval.
        if measuring or unprotected or self.state.frozen or self.told.spawned > spawned:
            due = min(due, FIRST_LOOK)
        if decision.actions and seen.mode in ENDS_WHEN_EMPTY:
            due = min(due, _ENDING_LOOK)
        if self._room_is_awaited(decision):
            due = min(due, LOOK_FOR_ROOM)
        if decision.due is not None:
            due = min(due, decision.due.at - self.world.clock.now())
        return max(0.0, due)

    def _room_is_awaited(self, decision: Decision) -> bool:
        """Say whether pilots wait for the foreground to leave room, and not for long yet."""
        now = self.world.clock.now()
        if not any(finding.code is Code.NO_ROOM for finding in decision.findings):
            self._room_missed_at = None
            return False
        self._room_missed_at = now if self._room_missed_at is None else self._room_missed_at
        return now - self._room_missed_at < LOOK_FOR_ROOM_UNTIL

    def _close(self, wall: float) -> None:
        self.world.orders.fulfilled(self.world.orders.mode())
        self.diary.note(wall, "no pilot is left, the engine ends as asked")

    # --- observe ------------------------------------------------------------------------

    def _configured(self, wall: float, *, reload: bool) -> ConfigState:
        new, old = self.world.config.current(reload=reload), self._config
        if new.error and (old is None or new.error != old.error):
            self.diary.note(
                wall,
                "configuration refused, the last good one stays",
                logging.ERROR,
                error=new.error,
            )
        elif old is None or new.revision != old.revision:
            self.diary.note(
                wall, "configuration in force", source=new.source, revision=new.revision
            )
        if old is None or new.warnings != old.warnings:
            for warning in new.warnings:
                self.diary.note(wall, "configuration", logging.WARNING, warning=warning)
        self._config = new
        wanted = frozenset(profile.image for profile in new.config.pilots)
        image = new.config.image
        self.world.images.want(wanted, image.refresh, pull=image.pull)
        self.world.monitor.want(new.config.monitor)
        return new

    def _policy(self, state: ConfigState, seen: Observation, wall: float) -> Policy:
        config, told = state.config, self.told
        here = names(seen, self.history, wall)
        told.names = names_of(config, here)
        try:
            told.figures = evaluate(config, here)
            told.trouble = ""
        except ExpressionError as error:
            told.trouble = f"{error}; the last value stays"
        return policy_of(config, told.figures)

    def _observe(self, now: float, ended: frozenset[str]) -> Observation:
        pilots = self.world.runtime.pilots(ended)
        host = self.world.host.sample(now)
        self.state = replace(self.state, samples=remember(self.state.samples, host))
        promised = sum(p.cpus for p in pilots if p.state is PilotState.RUNNING)
        load = cpu_load(self.state.samples, promised)
        recent = cpu_load(self.state.samples, promised, RECENT)
        live = {p.id: p for p in pilots if p.live}
        self._wishes = {
            id_: wish
            for id_, wish in self._wishes.items()
            if id_ in live and (wish is not Wish.THAW or live[id_].frozen)
        }
        images, wishes = self.world.images.status(), dict(self._wishes)
        seen = Observation(pilots, host, load, images, self.told.mode, recent, wishes)
        self.told.observation, self.told.observed_at = seen, now
        self.told.meter.measure(pilots, now)
        self.diary.slots.see(pilots)
        return seen

    # --- remember -----------------------------------------------------------------------

    def _book(self, seen: Observation, wall: float) -> None:
        """Take the time since the last tick into the history and the ledger."""
        before, self._booked = self._booked, seen.host
        span = elapsed(before, seen.host)
        if span and seen.load is not None:
            self.history = self.history.add(wall, span, levels(seen))
        self._enter(interval(before, seen, self._cause), wall)

    def _enter(self, entry: Account, wall: float) -> None:
        if entry != Account():
            self.ledger = self.ledger.book(entry, self.world.clock.day(), wall)

    def save(self) -> None:
        """Have kept what outlives this engine."""
        self._saved_at = self.world.clock.now()
        state = self.state
        held = frozenset(id_ for id_, wish in self._wishes.items() if wish is Wish.FREEZE)
        self.world.keeper.save(Memory(self.history, self.ledger, state.rollouts, state.used, held))

    # --- decide and act -----------------------------------------------------------------

    def _decide(self, seen: Observation, policy: Policy, now: float, wall: float) -> Decision:
        decision = self.rule(seen, policy, self.state, now)
        self.state = decision.state
        if seen.mode is not self._mode:
            if self._mode is not None or seen.mode is not Mode.ACTIVE:
                self.diary.note(wall, f"the node is {seen.mode.value}")
            self._mode = seen.mode
        said = tuple(f"{f.code}:{f.values.get('profile', '')}" for f in decision.findings)
        for finding, key in zip(decision.findings, said, strict=True):
            if key not in self._said:
                self.diary.wait(wall, finding)
        self._said = said
        self._cause = first_cause(decision.findings)
        for reference in decision.refresh:
            self.world.images.refresh(reference)
        self.told.findings, self.told.due = decision.findings, decision.due
        return decision

    def _act(self, decision: Decision, policy: Policy, wall: float) -> None:
        failed: set[str] = set()
        for action in order(decision.actions):
            if isinstance(action, Spawn) and action.profile.name in failed:
                continue
            self.busy_since = self.world.clock.now()  # each action is a sign of life
            outcome = actuate(action, self.world.runtime, self.world.images)
            self._take(action, outcome, policy, wall)
            if isinstance(action, Spawn) and outcome.error:
                failed.add(action.profile.name)

    def _take(self, action: Action, outcome: Outcome, policy: Policy, wall: float) -> None:
        self.diary.record(wall, outcome, self.state)
        if outcome.error and not isinstance(action, Spawn) and action.reason.code is Code.WISH:
            self._wishes.pop(action.pilot.id, None)  # refused once is refused
        now = self.world.clock.now()
        entry = outcome_of(outcome, self.state, now)
        self.state = settle(self.state, (outcome,), policy, now)
        self.told.errors += bool(outcome.error)
        self.told.spawned += isinstance(action, Spawn) and not outcome.error
        self.told.evicted += entry.evicted
        self.told.frozen += entry.frozen
        self._enter(entry, wall)

    # --- publish ------------------------------------------------------------------------

    def _publish(self, config: ConfigState, degraded: str, now: float, wall: float) -> None:
        self.told.requests = self.world.runtime.requests
        self.told.protection_note = self.world.host.protection_note
        self.told.ledger = self.ledger
        self.told.tick_seconds = self.world.clock.now() - now
        self.told.sinks = self.world.monitor.status()
        self.latest = self.told.snapshot(config, self.state, degraded, now, wall)
        self.world.monitor.take(self.latest)
        for subscriber in self.subscribers:
            subscriber(self.latest)
