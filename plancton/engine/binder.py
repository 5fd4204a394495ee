"""Changes what running pilots may use: their CPUs, and their quotas."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from plancton.engine.event_recorder import EventRecorder
from plancton.engine.model.node import Observation
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.quotas import Quotas
from plancton.engine.model.state import State
from plancton.engine.ports import ActionError, Clock, Runtime, RuntimeUnavailableError
from plancton.engine.rules.placement import all_unbound, binding_failed
from plancton.engine.rules.quotas import quota_refused


class Binder:
    """Has pilots use the CPUs and cores that they may, and says so when that cannot be."""

    def __init__(self, runtime: Runtime, clock: Clock, recorder: EventRecorder) -> None:
        """Change pilots by *runtime*."""
        self._runtime, self._clock, self._recorder = runtime, clock, recorder

    def bind(
        self, seen: Observation, cpus: Mapping[str, tuple[int, ...]], state: State
    ) -> tuple[Observation, State]:
        """Have pilots on the CPUs that are wanted, by their ID; returns how it is then.

        RuntimeUnavailableError passes through.
        """
        if not cpus:
            return seen, state
        pilots, error = bind_pilots(seen.pilots, cpus, self._runtime)
        seen = replace(seen, pilots=pilots)
        return seen, self.refused(state, error) if error else replace(state, bind_failure=None)

    def hold(self, seen: Observation, quotas: Quotas, state: State) -> tuple[Observation, State]:
        """Have pilots held to the cores that they may use now; otherwise as ``bind``."""
        if not quotas.cores:
            return seen, state
        pilots, error = hold_pilots(seen.pilots, quotas.cores, self._runtime)
        seen, wall = replace(seen, pilots=pilots), self._clock.wall()
        if error:
            text = "CPU limits of pilots cannot be changed"
            self._recorder.event(wall, text, logging.WARNING, error=error)
            return seen, quota_refused(state, error, self._clock.now())
        self._recorder.event(wall, quotas.text, changed=len(quotas.cores))
        return seen, replace(state, quota_failure=None)

    def refused(self, state: State, error: str) -> State:
        """Take note that a pilot could not be bound; several that start together count once."""
        now, known = self._clock.now(), state.bind_failure
        if known is not None and now < known.retry_at:
            return state
        text = "pilots cannot be bound to cores"
        self._recorder.event(self._clock.wall(), text, logging.WARNING, error=error)
        return binding_failed(state, error, now)

    def unbind(self, seen: Observation, state: State) -> State:
        """Leave the pilots as nobody had bound them: they stay, and the engine ends."""
        with suppress(RuntimeUnavailableError):
            return self.bind(seen, all_unbound(seen).cpus, state)[1]
        return state


_T = TypeVar("_T")


def bind_pilots(
    pilots: tuple[Pilot, ...], wanted: Mapping[str, tuple[int, ...]], runtime: Runtime
) -> tuple[tuple[Pilot, ...], str]:
    """Bind pilots to the CPUs that are *wanted*, by their ID.

    Returns them as they are then, and why it was given up; empty: it was not. After the first
    refusal no other is tried. RuntimeUnavailableError passes through.
    """
    bound, error = _change(pilots, wanted, runtime.bind)
    return tuple(replace(p, bound_to=bound.get(p.id, p.bound_to)) for p in pilots), error


def hold_pilots(
    pilots: tuple[Pilot, ...], wanted: Mapping[str, float], runtime: Runtime
) -> tuple[tuple[Pilot, ...], str]:
    """Hold pilots to the cores that are *wanted*, by their ID; otherwise as ``bind_pilots``."""
    held, error = _change(pilots, wanted, runtime.hold)
    return tuple(replace(p, held_to=held.get(p.id, p.held_to)) for p in pilots), error


def _change(
    pilots: tuple[Pilot, ...], wanted: Mapping[str, _T], change: Callable[[Pilot, _T], None]
) -> tuple[dict[str, _T], str]:
    """Return what was changed, by ID, and why it was given up."""
    done: dict[str, _T] = {}
    for pilot in pilots:
        if pilot.id not in wanted or not pilot.live:
            continue
        try:
            change(pilot, wanted[pilot.id])
        except ActionError as refusal:
            return done, str(refusal)
        done[pilot.id] = wanted[pilot.id]
    return done, ""
