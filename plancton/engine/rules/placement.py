"""Rule: pilots are bound to cores of their own while together they cover all. Pure.

The kernel queues a woken thread of the owner's behind another although a core runs nothing but
pilots. A pilot on each core, bound to it, prevents most of that. A core without any pilot beside
bound ones makes it worse: idle for a moment, it pulls the owner's threads together. So either all
cores are covered, or all pilots roam.

Pilots count with the cores promised to them; what they may use beyond is no cover. Those that may
use more roam while binding would take idle cores from them, see ``left_idle``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from plancton.config.units import format_duration
from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.action import Action, Spawn
from plancton.engine.model.node import HostSample, Observation, Protection
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.placement import BindFailure, Placement
from plancton.engine.model.state import State
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.left_idle import seconds_to_roam
from plancton.engine.rules.spread import Cpus, Demand, Domains, fill, size_of, spread

UNCOVERED = 10.0
"""Seconds in which a core may lack its pilot, before the others are unbound: time to refill."""
BIND_AGAIN, BIND_AGAIN_LONGEST = 60.0, 3600.0
"""Seconds after which an engine that refused to bind a pilot is asked again: at first, at most."""


def place(context: DecisionContext) -> None:
    """Decide which CPUs each pilot may use, those included that are about to start.

    A start under way goes on with the CPUs that were found for it.
    """
    domains = context.observation.host.cpu_domains
    usable = usable_cpus(context.observation.host)
    placement = _placement(context, domains, usable)
    text = f"{context.policy.protect.latency}: {placement.text}"
    context.placement = replace(placement, text=text)
    if context.placement.cpus or any(isinstance(a, Spawn) and a.cpus for a in context.actions):
        return
    if context.bind_failure and context.now >= context.bind_failure.retry_at:
        context.bind_failure = None  # nothing is left that could fail


def _placement(context: DecisionContext, domains: Domains, usable: Cpus) -> Placement:
    failure = context.bind_failure
    if failure is not None and context.now < failure.retry_at:
        left = format_duration(failure.retry_at - context.now)
        return Placement(False, f"{failure.why}; next try in {left}")
    if context.policy.protect.latency == "off":
        return _roam(context, "pilots roam", usable)
    if context.observation.host.protection is not Protection.IDLE:
        return _roam(context, "pilots roam, they are not in the idle class", usable)
    if len(usable) < 2:
        return _roam(context, "pilots roam, there is only one core to use", usable)
    return _spread_or_roam(context, domains, usable)


def _spread_or_roam(context: DecisionContext, domains: Domains, usable: Cpus) -> Placement:
    running = _running(context)
    there = [*running, *(each.pilot for each in context.observation.starting)]
    starts = [action for action in context.actions if isinstance(action, Spawn)]
    demands = [Demand(pilot.cpus, cpus_of(pilot, usable)) for pilot in there]
    demands += [Demand(action.profile.cpus) for action in starts]
    placed = spread(demands, domains)
    text = "each pilot on cores of its own"
    covered = min(len(usable), sum(size_of(each, usable) for each in demands[: len(running)]))
    waits = _waits_for_refill(
        context, covered < len(usable) and any(_is_bound(p, usable) for p in running)
    )
    if placed is None:
        what = f"{covered} of {len(usable)} cores"
        if not waits:
            return _roam(context, f"pilots roam, they cover {what}", usable)
        placed, text = fill(demands, domains), f"{text}; {what} covered"
        # Until the core has its pilot again, the others stay as they are.
        placed[: len(running)] = [each.bound for each in demands[: len(running)]]
    elif left := seconds_to_roam(context, (p for p in running if _is_bound(p, usable)), usable):
        why = "on cores of their own they left some idle that others may use"
        return _roam(context, f"pilots roam for {format_duration(left)}: {why}", usable)
    context.actions = _with_cpus(context.actions, placed[len(there) :])
    changed = {
        pilot.id: cpus
        for pilot, demand, cpus in zip(running, demands, placed, strict=False)
        if cpus != demand.bound
    }
    return Placement(True, text, changed)


def _waits_for_refill(context: DecisionContext, uncovered: bool) -> bool:
    """Say whether a core that is *uncovered* beside bound pilots may still get its own."""
    if not uncovered:
        context.uncovered_since = None
        return False
    if context.uncovered_since is None:
        context.uncovered_since = context.now
    return context.now - context.uncovered_since < UNCOVERED


def _with_cpus(actions: Iterable[Action], placed: Iterable[Cpus]) -> list[Action]:
    """Return the actions, each start with the CPUs that were found for it."""
    left = iter(placed)
    return [replace(a, cpus=next(left)) if isinstance(a, Spawn) else a for a in actions]


def _roam(context: DecisionContext, text: str, usable: Cpus) -> Placement:
    """Have all pilots unbound, frozen ones included."""
    return Placement(False, text, _unbound(context.live(), usable))


def all_unbound(observation: Observation) -> Placement:
    """Return the placement that leaves nothing of ours behind."""
    return Placement(cpus=_unbound(observation.pilots, usable_cpus(observation.host)))


def _unbound(pilots: Iterable[Pilot], usable: Cpus) -> dict[str, Cpus]:
    return {pilot.id: usable for pilot in pilots if pilot.live and _is_bound(pilot, usable)}


def usable_cpus(host: HostSample) -> Cpus:
    """Return the CPUs that pilots may use."""
    return tuple(sorted(cpu for domain in host.cpu_domains for cpu in domain))


def _running(context: DecisionContext) -> list[Pilot]:
    """Return the pilots that use, or will use, CPU after this decision, oldest first."""
    created = PilotState.CREATED
    return [p for p in reversed(context.running()) if p.state is not created]


def cpus_of(pilot: Pilot, usable: Cpus) -> Cpus:
    """Return the CPUs that a pilot may use; all the usable ones if it is bound to none."""
    bound = pilot.bound_to
    return bound if bound and not set(usable).issubset(bound) else usable


def _is_bound(pilot: Pilot, usable: Cpus) -> bool:
    return bool(usable) and cpus_of(pilot, usable) != usable


def binding_failed(state: State, why: str, now: float) -> State:
    """Return the state after a pilot could not be bound: pilots roam until the next try."""
    failures = state.bind_failure.failures + 1 if state.bind_failure else 1
    wait = backoff_delay(failures, BIND_AGAIN, BIND_AGAIN_LONGEST)
    return replace(state, bind_failure=BindFailure(failures, now + wait, why))
