"""Decide what to do with the node. Pure: data and ``now`` in, actions with reasons out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from plancton.engine.model.action import Decision
from plancton.engine.model.node import Observation
from plancton.engine.model.operator import ENDS_WHEN_EMPTY
from plancton.engine.model.pilot import PilotState
from plancton.engine.model.policy import Policy
from plancton.engine.model.state import State
from plancton.engine.rules.bounds import bounds
from plancton.engine.rules.canary import try_new_images
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.disk_limit import limit_disk
from plancton.engine.rules.evict import evict
from plancton.engine.rules.freeze import freeze
from plancton.engine.rules.operator import apply_operator_requests
from plancton.engine.rules.overcommit import adjust_overcommit
from plancton.engine.rules.placement import place
from plancton.engine.rules.quotas import set_quotas
from plancton.engine.rules.reap import is_orphan, reap
from plancton.engine.rules.reclaim import reclaim
from plancton.engine.rules.scale_down import scale_down
from plancton.engine.rules.spare import keep_spares
from plancton.engine.rules.spawn import spawn
from plancton.engine.rules.thaw import thaw
from plancton.engine.rules.time_to_live import expire, kill_after_grace
from plancton.engine.rules.unknown_objectives import note_unknown_objectives
from plancton.engine.rules.upcoming import next_due

Rule = Callable[[DecisionContext], None]

RULES: tuple[Rule, ...] = (
    try_new_images,
    reap,
    apply_operator_requests,
    expire,
    limit_disk,
    kill_after_grace,
    thaw,
    evict,
    freeze,
    scale_down,
    spawn,
    set_quotas,
    adjust_overcommit,
    place,
    note_unknown_objectives,
    keep_spares,
)
"""In order of precedence: a pilot that one rule acted upon is left alone by the later ones."""


SAFETY_RULES: tuple[Rule, ...] = (apply_operator_requests, expire, kill_after_grace)
"""What still ends pilots in time when a tick failed: they start, freeze and thaw nothing."""


def decide(observation: Observation, policy: Policy, state: State, now: float) -> Decision:
    """Return what to do now, why nothing more is done, and the state that follows."""
    return _decided(RULES, DecisionContext(observation, policy, state, now))


def decide_safely(observation: Observation, policy: Policy, state: State, now: float) -> Decision:
    """Return only what must be done whatever else is wrong.

    Nothing is removed, so what has ended, or never started, does not keep the engine from ending.
    """
    context = DecisionContext(observation, policy, state, now)
    left = any(pilot.live and not is_orphan(pilot, now) for pilot in observation.pilots)
    empty = not left and not observation.starting and not observation.preparing
    finished = observation.mode in ENDS_WHEN_EMPTY and empty
    return replace(_decided(SAFETY_RULES, context), finished=finished)


def _decided(rules: tuple[Rule, ...], context: DecisionContext) -> Decision:
    for rule in rules:
        rule(context)
    observation = context.observation
    left = any(pilot.state is not PilotState.REMOVING for pilot in observation.pilots)
    left = left or bool(observation.spares or observation.starting or observation.preparing)
    return Decision(
        tuple(context.actions),
        tuple(context.findings),
        context.next_state(),
        committed=context.committed(),
        overcommit=context.capacity.overcommit,
        room=context.spawn_room(),
        finished=observation.mode in ENDS_WHEN_EMPTY and not left,
        refresh=frozenset(context.refresh),
        due=next_due(context),
        bounds=bounds(context),
        reclaim=reclaim(context),
        placement=context.placement,
        quotas=context.quotas,
        spare_awaited=context.spare_awaited,
    )
