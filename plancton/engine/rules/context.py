"""The working set of one decision: what is known, and what was decided so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import exp

from plancton.config import schema
from plancton.engine.model.action import Action, Freeze, Kill, Remove, Spawn, Terminate, Thaw
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.placement import Placement
from plancton.engine.model.policy import Policy
from plancton.engine.model.pressure import Alarm, Step
from plancton.engine.model.quotas import Quotas
from plancton.engine.model.reason import EVICTIONS, Code, Reason
from plancton.engine.model.state import Frozen, State
from plancton.engine.rules.alarms import detect_alarms, track_alarms
from plancton.engine.rules.apply_outcomes import KILL_AGAIN
from plancton.engine.rules.capacity import Capacity, cores

FADE = 3600.0
"""Seconds over which the cores a profile had are remembered for its share."""
JUST_SAVED = 60.0
"""Seconds for which a checkpoint makes a pilot the preferred victim."""


class DecisionContext:
    """One decision under way."""

    def __init__(self, observation: Observation, policy: Policy, state: State, now: float) -> None:
        """Start from the state, without what concerns pilots that have gone."""
        self.observation, self.policy, self.now, self.state = observation, policy, now, state
        self.overcommit = state.overcommit
        self.capacity = Capacity(observation, policy, state.overcommit.factor)
        live = (pilot for pilot in observation.pilots if pilot.live)
        self._live = sorted(live, key=lambda p: (p.created_at, p.id), reverse=True)
        present = {pilot.id for pilot in observation.pilots}
        present |= {spare.id for spare in observation.spares}
        self.endings = {id_: end for id_, end in state.endings.items() if id_ in present}
        failed = state.failed_removals.items()
        self.failed_removals = {id_: each for id_, each in failed if id_ in present}
        self.frozen = {
            pilot.id: state.frozen.get(pilot.id, Frozen(Reason.of(Code.ADOPTED_FROZEN), now))
            for pilot in observation.pilots
            if pilot.frozen
        }
        self.counted_exits = state.counted_exits & present
        self.backoffs, self.rollouts = dict(state.backoffs), dict(state.rollouts)
        self.kept_free_since = dict(state.kept_free_since)
        self.thaw_hold_until = state.thaw_hold_until
        self.overcommitted_since, self.room_since = state.overcommitted_since, state.room_since
        self.uncovered_since, self.bind_failure = state.uncovered_since, state.bind_failure
        self.quota_failure = state.quota_failure
        self.left_idle_since, self.roam_until = state.left_idle_since, state.roam_until
        self.placement, self.quotas = Placement(), Quotas()
        self.spare_failures, self.spare_awaited = dict(state.spare_failures), False
        self.tracked_alarms = track_alarms(
            detect_alarms(observation, policy), state.tracked_alarms, now
        )
        self.refresh: set[str] = set()
        self.actions: list[Action] = []
        self.findings: list[Reason] = []
        self.acted: set[str] = set()
        self._waiting_removals: set[str] = set()
        self.used = self._used()

    # --- what is decided ----------------------------------------------------------------

    def add_action(self, action: Freeze | Thaw | Terminate | Kill | Remove) -> None:
        """Decide an action on a pilot, which later rules then leave alone.

        A removal that failed is not decided again before it is time.
        """
        self.acted.add(action.pilot.id)
        if isinstance(action, Remove) and self.removal_waits(action.pilot.id):
            self._waiting_removals.add(action.pilot.id)
        else:
            self.actions.append(action)

    def removal_waits(self, id_: str) -> bool:
        """Say whether a container could not be removed, and it is not yet time to try again."""
        failed = self.failed_removals.get(id_)
        return failed is not None and self.now < failed.retry_at

    def terminate(self, pilot: Pilot, reason: Reason) -> None:
        """Ask a pilot to go; one that never started is removed."""
        action = Remove if pilot.state is PilotState.CREATED else Terminate
        self.add_action(action(pilot, reason))

    def kill(self, pilot: Pilot, reason: Reason) -> None:
        """Kill a pilot; one that never started is removed."""
        action = Remove if pilot.state is PilotState.CREATED else Kill
        self.add_action(action(pilot, reason))

    def kill_now(self, pilot: Pilot, reason: Reason) -> None:
        """Kill a pilot whatever its grace, unless it was killed or soon will be."""
        ending = self.endings.get(pilot.id)
        if ending is None or ending.kill_at - self.now > KILL_AGAIN:
            self.kill(pilot, reason)

    def announce(self, step: str, after: float, why: Reason) -> None:
        """Say what pressure that has not lasted long enough will do."""
        finding = Reason.of(Code.PRESSURE_BUILDING, step=step, after_s=after, why=str(why))
        self.findings.append(finding)

    def planned_starts(self, profile: schema.Profile | None = None) -> list[schema.Profile]:
        """Profiles of the pilots that are starting, or decided to, one entry each."""
        starts = [each.profile for each in self.observation.starting]
        starts += [a.profile for a in self.actions if isinstance(a, Spawn)]
        return [each for each in starts if profile is None or each.name == profile.name]

    def alarms_due(self, step: Step) -> list[Alarm]:
        """Alarms that ask for *step* now, having lasted long enough."""
        return [
            tracked.alarm
            for tracked in self.tracked_alarms.values()
            if tracked.met
            and tracked.alarm.step is step
            and self.now - tracked.since >= tracked.alarm.after
        ]

    # --- the pilots ---------------------------------------------------------------------

    def live(self) -> list[Pilot]:
        """Pilots that are there, youngest first, those about to go included."""
        removed = self._targets(Remove) | self._waiting_removals
        return [pilot for pilot in self._live if pilot.id not in removed]

    def running(self) -> list[Pilot]:
        """Pilots that hold cores: live, and not frozen after this decision."""
        frozen, thawed = self._targets(Freeze), self._targets(Thaw)
        return [p for p in self.live() if p.id not in frozen and (not p.frozen or p.id in thawed)]

    def untouched(self) -> list[Pilot]:
        """Pilots that were not asked to go and not acted upon, youngest first."""
        return [p for p in self.live() if p.id not in self.endings and p.id not in self.acted]

    def kept_running(self) -> list[Pilot]:
        """Pilots that hold cores and were not asked to go, in this decision or before."""
        going = self.endings.keys() | self._targets(Terminate) | self._targets(Kill)
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

        return sorted(self.untouched(), key=rank)

    def held_by_operator(self, pilot: Pilot) -> bool:
        """Whether the operator keeps a pilot frozen."""
        return self.observation.pilot_commands.get(pilot.id) is PilotCommand.FREEZE

    def frozen_for_objective(self, pilot: Pilot) -> bool:
        """Whether a pilot is frozen because of one of the owner's objectives."""
        frozen = self.frozen.get(pilot.id)
        return frozen is not None and frozen.reason.code is Code.OBJECTIVE

    def eviction_in_progress(self) -> bool:
        """Whether an evicted pilot has not gone yet."""
        return any(end.reason.code in EVICTIONS for end in self.endings.values())

    def _targets(self, kind: type[Freeze | Thaw | Terminate | Kill | Remove]) -> set[str]:
        return {a.pilot.id for a in self.actions if isinstance(a, kind)}

    # --- what is left for them ----------------------------------------------------------

    def committed(self, pilots: Iterable[Pilot] | None = None) -> float:
        """Cores promised to *pilots* (those running, unless given) and to planned starts."""
        held = self.running() if pilots is None else pilots
        return cores(held) + cores(self.planned_starts())

    def room(self, pilots: Iterable[Pilot]) -> float | None:
        """Cores free beside *pilots* and planned starts; negative when overcommitted."""
        return self.capacity.room(self.committed(pilots), self.capacity.pressure_load)

    def spawn_room(self) -> float | None:
        """Cores free for one more pilot, started or thawed."""
        return self.capacity.room(self.committed(), self.capacity.spawn_load)

    def _used(self) -> dict[str, float]:
        """Core-seconds by profile, the older the less: ``u' = u d + cores FADE (1 - d)``."""
        elapsed = self.now - (self.now if self.state.used_at is None else self.state.used_at)
        left = exp(-max(0.0, elapsed) / FADE)
        names = {profile.name for profile in self.policy.profiles}
        running = [*self.running(), *(each.pilot for each in self.observation.starting)]
        return {
            name: self.state.used.get(name, 0.0) * left
            + cores(p for p in running if p.profile == name) * FADE * (1 - left)
            for name in names
        }

    # --- the end ------------------------------------------------------------------------

    def next_state(self) -> State:
        """Return the state that follows, before anything is carried out."""
        return replace(
            self.state,
            tracked_alarms=self.tracked_alarms,
            overcommitted_since=self.overcommitted_since,
            room_since=self.room_since,
            thaw_hold_until=self.thaw_hold_until,
            frozen=self.frozen,
            endings=self.endings,
            failed_removals=self.failed_removals,
            backoffs=self.backoffs,
            rollouts=self.rollouts,
            kept_free_since=self.kept_free_since,
            counted_exits=self.counted_exits,
            uncovered_since=self.uncovered_since,
            bind_failure=self.bind_failure,
            quota_failure=self.quota_failure,
            left_idle_since=self.left_idle_since,
            roam_until=self.roam_until,
            spare_failures=self.spare_failures,
            overcommit=self.overcommit,
            used=self.used,
            used_at=self.now,
        )
