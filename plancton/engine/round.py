"""The working set of one decision: what is known, and what was decided so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import exp

from plancton.config import schema
from plancton.engine.actions import (
    Action,
    Decision,
    Due,
    Freeze,
    Kill,
    Remove,
    Spawn,
    Terminate,
    Thaw,
)
from plancton.engine.model import (
    CpuLoad,
    Mode,
    Observation,
    Pilot,
    PilotState,
    Policy,
    Protection,
    Wish,
)
from plancton.engine.reasons import EVICTIONS, Code, Reason, because
from plancton.engine.signals import alarms, attend
from plancton.engine.state import Alarm, Frozen, State, Step

ENDS_WHEN_EMPTY = (Mode.STOPPING, Mode.ENDING, Mode.FORCED)
FADE = 3600.0
"""Seconds over which the cores a profile had are remembered for its share."""
JUST_SAVED = 60.0
"""Seconds for which a checkpoint makes a pilot the preferred victim."""
HEADROOM, SATURATED = 0.5, 0.25
"""Cores that stay free beside pilots without the idle class, and below which the node is full.

There a pilot takes cores from the foreground, which then looks smaller than it would be. So
some are always left, and as soon as they are used up the foreground may want more.
"""


class Round:
    """One decision under way."""

    def __init__(self, observation: Observation, policy: Policy, state: State, now: float) -> None:
        """Start from the state, without what concerns pilots that have gone."""
        self.seen, self.policy, self.now, self.state = observation, policy, now, state
        live = (pilot for pilot in observation.pilots if pilot.live)
        self._live = sorted(live, key=lambda p: (p.created_at, p.id), reverse=True)
        present = {pilot.id for pilot in observation.pilots}
        self.endings = {id_: end for id_, end in state.endings.items() if id_ in present}
        self.frozen = {
            pilot.id: state.frozen.get(pilot.id, Frozen(because(Code.ADOPTED_FROZEN), now))
            for pilot in observation.pilots
            if pilot.frozen
        }
        self.handled = state.handled & present
        self.backoffs, self.rollouts, self.kept = (
            dict(state.backoffs),
            dict(state.rollouts),
            dict(state.kept),
        )
        self.overcommitted_since, self.room_since = state.overcommitted_since, state.room_since
        self.watches = attend(alarms(observation, policy), state.watches, now)
        self.refresh: set[str] = set()
        self.actions: list[Action] = []
        self.findings: list[Reason] = []
        self.acted: set[str] = set()
        self.used = self._used()

    # --- what is decided ----------------------------------------------------------------

    def act(self, action: Freeze | Thaw | Terminate | Kill | Remove) -> None:
        """Decide an action on a pilot, which later rules then leave alone."""
        self.actions.append(action)
        self.acted.add(action.pilot.id)

    def end(self, pilot: Pilot, reason: Reason) -> None:
        """Ask a pilot to go; one that never started is removed."""
        action = Remove if pilot.state is PilotState.CREATED else Terminate
        self.act(action(pilot, reason))

    def starts(self, profile: schema.Profile | None = None) -> list[schema.Profile]:
        """Profiles of the pilots decided to start so far, one entry each."""
        starts = [a.profile for a in self.actions if isinstance(a, Spawn)]
        return [each for each in starts if profile is None or each.name == profile.name]

    def alarmed(self, step: Step) -> list[Alarm]:
        """Alarms that ask for *step* now, having lasted long enough."""
        return [
            watch.alarm
            for watch in self.watches.values()
            if watch.met
            and watch.alarm.step is step
            and self.now - watch.since >= watch.alarm.after
        ]

    # --- the pilots ---------------------------------------------------------------------

    def live(self) -> list[Pilot]:
        """Pilots that are there, youngest first, those about to go included."""
        removed = self._objects(Remove)
        return [pilot for pilot in self._live if pilot.id not in removed]

    def running(self) -> list[Pilot]:
        """Pilots that hold cores: live, and not frozen after this round."""
        frozen, thawed = self._objects(Freeze), self._objects(Thaw)
        return [p for p in self.live() if p.id not in frozen and (not p.frozen or p.id in thawed)]

    def staying(self) -> list[Pilot]:
        """Pilots that were not asked to go and not acted upon, youngest first."""
        return [p for p in self.live() if p.id not in self.endings and p.id not in self.acted]

    def remaining(self) -> list[Pilot]:
        """Pilots that hold cores and were not asked to go, in this round or before."""
        going = self.endings.keys() | self._objects(Terminate) | self._objects(Kill)
        return [p for p in self.running() if p.id not in going]

    def victims(self) -> list[Pilot]:
        """Pilots that may be frozen or ended, in this order.

        Frozen ones first, then those that have just saved their work, then as configured.
        """
        least_lost = self.policy.protect.victim == "least-lost"

        def rank(pilot: Pilot) -> tuple[bool, bool, float]:
            saved = pilot.checkpoint_at is not None and (
                self.now - pilot.checkpoint_at <= JUST_SAVED
            )
            return not pilot.frozen, not saved, pilot.lost(self.now) if least_lost else 0.0

        return sorted(self.staying(), key=rank)

    def held(self, pilot: Pilot) -> bool:
        """Whether the operator keeps a pilot frozen."""
        return self.seen.wishes.get(pilot.id) is Wish.FREEZE

    def evicting(self) -> bool:
        """Whether an evicted pilot has not gone yet."""
        return any(end.reason.code in EVICTIONS for end in self.endings.values())

    def _objects(self, kind: type[Freeze | Thaw | Terminate | Kill | Remove]) -> set[str]:
        return {a.pilot.id for a in self.actions if isinstance(a, kind)}

    # --- the node -----------------------------------------------------------------------

    @property
    def unprotected(self) -> bool:
        """Whether nothing but our own reaction protects the foreground."""
        return self.seen.host.protection is Protection.WEIGHT_ONLY

    def fits(self, cpus: float, room: float) -> bool:
        """Say whether a pilot of so many cores may run in this *room*."""
        if self.unprotected:
            return room >= cpus + HEADROOM
        return room >= self.policy.spawn.min_room * cpus

    def crowded(self, victim: Pilot, room: float) -> bool:
        """Say whether the pilots are promised too much: *victim*, or one like it, has to go."""
        if self.unprotected and self.load is not None:
            return self.load.idle < SATURATED
        return room < -self.policy.protect.evict_room * victim.cpus

    @property
    def load(self) -> CpuLoad | None:
        """What the foreground uses; without the idle class, at its worst."""
        if self.unprotected:
            return max(self._loads(), key=lambda load: load.foreground, default=None)
        return self.seen.load

    @property
    def calm(self) -> CpuLoad | None:
        """What the foreground uses, as soon as it uses less; without the idle class, surely."""
        if self.unprotected:
            return self.load
        return min(self._loads(), key=lambda load: load.foreground, default=None)

    def _loads(self) -> list[CpuLoad]:
        return [load for load in (self.seen.load, self.seen.recent) if load is not None]

    def room(self, pilots: Iterable[Pilot], load: CpuLoad | None = None) -> float | None:
        """Cores free beside *pilots* and those starting, negative when overcommitted.

        ``ceiling * cores - reserve - foreground - committed``; None while unmeasured.
        """
        load, limits = load or self.load, self.policy.spawn
        if load is None:
            return None
        committed = cores(pilots) + cores(self.starts())
        return limits.ceiling * load.ncpus - limits.reserve - load.foreground - committed

    def free(self) -> float | None:
        """Cores free for one more pilot, started or thawed: as soon as the foreground is calm.

        The mean of some seconds lags behind, and in the idle class nothing is risked.
        """
        return self.room(self.running(), self.calm)

    def memory_room(self) -> float:
        """Bytes available beside what was promised to pilots and is not used by them yet."""
        share = self.policy.spawn.memory_promise
        pilots = sum(each.memory for each in self.live())
        promised = share * (pilots + sum(each.memory for each in self.starts()))
        own = self.seen.host.own_memory
        used = share * pilots if own is None else own  # unknown: as much as was promised
        return self.seen.host.memory_available - max(0.0, promised - used)

    def _used(self) -> dict[str, float]:
        """Core-seconds by profile, the older the less: ``u' = u d + cores FADE (1 - d)``."""
        elapsed = self.now - (self.now if self.state.used_at is None else self.state.used_at)
        left = exp(-max(0.0, elapsed) / FADE)
        names = {profile.name for profile in self.policy.profiles}
        running = self.running()
        return {
            name: self.state.used.get(name, 0.0) * left
            + cores(p for p in running if p.profile == name) * FADE * (1 - left)
            for name in names
        }

    # --- the end ------------------------------------------------------------------------

    def decision(self) -> Decision:
        """Close the round."""
        left = [p for p in self.seen.pilots if p.state is not PilotState.REMOVING]
        state = replace(
            self.state,
            watches=self.watches,
            overcommitted_since=self.overcommitted_since,
            room_since=self.room_since,
            frozen=self.frozen,
            endings=self.endings,
            backoffs=self.backoffs,
            rollouts=self.rollouts,
            kept=self.kept,
            handled=self.handled,
            used=self.used,
            used_at=self.now,
        )
        finished = self.seen.mode in ENDS_WHEN_EMPTY and not left
        return Decision(
            tuple(self.actions),
            tuple(self.findings),
            state,
            finished,
            frozenset(self.refresh),
            self._next(),
        )

    def _next(self) -> Due | None:
        """Return the next known thing that falls due."""
        coming = min((each for each in self._due() if each[0] > self.now), default=None)
        if coming is None:
            return None
        at, code, who, what = coming
        return Due(at, because(code, who=who, what=what))

    def _due(self) -> Iterator[tuple[float, Code, str, str]]:
        """Yield all that falls due: when, what, whose, and what is to be done."""
        protect = self.policy.protect
        names = {p.id: p.name or p.id[:12] for p in self.seen.pilots}
        for pilot in (each for each in self.live() if each.id in self.endings):
            yield self.endings[pilot.id].kill_at, Code.NEXT_KILL, names[pilot.id], ""
        for pilot in self.staying():
            yield pilot.deadline_at or 0.0, Code.NEXT_TTL, names[pilot.id], ""
        for profile, backoff in self.backoffs.items():
            if self.seen.mode is Mode.ACTIVE and not self.policy.drain:
                yield backoff.until, Code.NEXT_TRY, profile, ""
        for watch in self.watches.values():
            alarm = watch.alarm
            if watch.met:
                step = alarm.step.name.lower()
                yield watch.since + alarm.after, Code.NEXT_STEP, alarm.signal, step
            else:
                yield watch.last + alarm.recover, Code.NEXT_RECOVERED, alarm.signal, ""
        kept = {id_ for id_, wish in self.seen.wishes.items() if wish is Wish.FREEZE}
        for id_, frozen in ((i, f) for i, f in self.frozen.items() if i not in kept):
            yield frozen.since + protect.evict_after, Code.NEXT_EVICTION, names[id_], ""
        yield self.state.hold_until, Code.NEXT_START, "", ""
        over, room = self.overcommitted_since, self.room_since
        if over is not None:
            yield over + freeze_after(self), Code.NEXT_FREEZE, "", ""
            yield over + end_after(self), Code.NEXT_END, "", ""
        if room is not None:
            yield room + protect.thaw_after, Code.NEXT_THAW, "", ""


def freeze_after(tick: Round) -> float:
    """Seconds of overcommitment after which pilots are frozen."""
    protect = tick.policy.protect
    return protect.freeze_after_unprotected if tick.unprotected else protect.freeze_after


def end_after(tick: Round) -> float:
    """Seconds of overcommitment after which a pilot that cannot be frozen is ended."""
    protect = tick.policy.protect
    return protect.evict_after + (freeze_after(tick) if protect.freeze else 0.0)


def cores(pilots: Iterable[Pilot] | Iterable[schema.Profile]) -> float:
    """Cores promised to these pilots."""
    return sum(pilot.cpus for pilot in pilots)


def of(pilots: Iterable[Pilot], profile: schema.Profile) -> list[Pilot]:
    """Those of the *pilots* that belong to the profile."""
    return [pilot for pilot in pilots if pilot.profile == profile.name]
