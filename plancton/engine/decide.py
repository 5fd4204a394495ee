"""Decide what to do with the node. Pure: data and ``now`` in, actions with reasons out."""

from __future__ import annotations

from collections.abc import Callable

from plancton.engine.actions import Decision
from plancton.engine.endings import finish, obey, reap, retire, shrink
from plancton.engine.ladder import evict, freeze, thaw
from plancton.engine.model import Observation, Policy
from plancton.engine.rollout import roll_out
from plancton.engine.round import Round
from plancton.engine.starting import spawn
from plancton.engine.state import State

RULES: tuple[Callable[[Round], None], ...] = (
    roll_out,
    reap,
    obey,
    retire,
    finish,
    thaw,
    evict,
    freeze,
    shrink,
    spawn,
)
"""In order of precedence: a pilot that one rule acted upon is left alone by the later ones."""


def decide(observation: Observation, policy: Policy, state: State, now: float) -> Decision:
    """Return what to do now, why nothing more is done, and the state that follows."""
    tick = Round(observation, policy, state, now)
    for rule in RULES:
        rule(tick)
    return tick.decision()
