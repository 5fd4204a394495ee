"""Changes what running pilots may use: their CPUs, and their quotas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from plancton.engine.model.pilot import Pilot
from plancton.engine.ports import ActionError, Runtime

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
