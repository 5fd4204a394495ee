"""Carries the placement of pilots out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from plancton.engine.model.pilot import Pilot
from plancton.engine.ports import ActionError, Runtime


def bind_pilots(
    pilots: tuple[Pilot, ...], wanted: Mapping[str, tuple[int, ...]], runtime: Runtime
) -> tuple[tuple[Pilot, ...], str]:
    """Bind pilots to the CPUs that are *wanted*, by their ID.

    Returns them as they are then, and why it was given up; empty: it was not. After the first
    refusal no other is tried. RuntimeUnavailableError passes through.
    """
    bound = {}
    error = ""
    for pilot in pilots:
        cpus = wanted.get(pilot.id)
        if cpus is None or not pilot.live:
            continue
        try:
            runtime.bind(pilot, cpus)
        except ActionError as refusal:
            error = str(refusal)
            break
        bound[pilot.id] = cpus
    return tuple(replace(p, bound_to=bound.get(p.id, p.bound_to)) for p in pilots), error
