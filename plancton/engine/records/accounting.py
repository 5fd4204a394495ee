"""From one tick to the next: what to book, and what to remember of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from plancton.engine.model.action import (
    Discard,
    Freeze,
    Kill,
    Outcome,
    Prepare,
    Remove,
    Spawn,
    Terminate,
)
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.reason import EVICTIONS, Code, Reason
from plancton.engine.model.state import State
from plancton.engine.records.ledger import Account

LONGEST = 600.0
"""A longer pause between two ticks (a stalled machine) is not booked."""


def elapsed(before: HostSample | None, now: HostSample) -> float:
    """Return the seconds between two samples that can be booked: those that nobody slept."""
    slept = now.suspended_seconds - before.suspended_seconds if before else 0.0
    span = now.at - before.at - slept if before else 0.0
    return span if 0 < span <= LONGEST else 0.0


def interval(before: HostSample | None, observation: Observation, why: str) -> Account:
    """Return the account of the time since the sample *before*.

    What nobody used is put down to pilots that had cores and left them idle, and beyond that to
    *why* nothing more was started.
    """
    now = observation.host
    span = elapsed(before, now)
    if not span or before is None:
        return Account()
    running = observation.running
    busy = min(now.ncpus * span, max(0.0, now.busy_seconds - before.busy_seconds))
    if now.own_seconds is None or before.own_seconds is None:
        own = min(busy, sum(p.cpus for p in running) * span)
    else:
        own = min(busy, max(0.0, now.own_seconds - before.own_seconds))
    idle = now.ncpus * span - busy
    unused = min(idle, max(0.0, sum(p.cpus for p in running) * span - own))
    missed = {"pilots idle": unused, why: idle - unused}
    stalled = {
        name: max(0.0, each.seconds - before.stalled[name].seconds)
        for name, each in now.stalled.items()
        if running and name in before.stalled
    }
    some = {key: value for key, value in missed.items() if value > 0}
    entry = Account(seconds=span, harvested=own, missed=some, stalled=stalled)
    return entry + _waited(before, now, busy - own, beside_pilots=bool(running))


def _waited(
    before: HostSample, now: HostSample, foreground: float, *, beside_pilots: bool
) -> Account:
    """Return what the foreground, which used so many core-seconds, waited for a core."""
    if before.waited_seconds is None or now.waited_seconds is None:
        return Account()
    waited = max(0.0, now.waited_seconds - before.waited_seconds)
    if beside_pilots:
        return Account(waited=waited, foreground=foreground)
    return Account(waited_alone=waited, foreground_alone=foreground)


def reclaimed(before: Mapping[str, int], pilots: Iterable[Pilot]) -> int:
    """Return how many more bytes of frozen *pilots* lie in swap than did *before*, by ID."""
    swapped = {pilot.id: pilot.swapped or 0 for pilot in pilots if pilot.frozen}
    return sum(max(0, now - before.get(id_, 0)) for id_, now in swapped.items())


def account_of(outcome: Outcome, state: State, now: float) -> Account:
    """Return the account of an action that was carried out."""
    action = outcome.action
    if outcome.error or isinstance(action, Prepare | Discard):
        return Account()
    if isinstance(action, Spawn):
        return Account(started=1)
    code = action.reason.code
    since = action.reason.values.get("since_s", 0.0)
    reaction = since if isinstance(since, int | float) else 0.0
    if isinstance(action, Freeze):
        return Account(frozen=1, reaction=reaction, reaction_max=reaction)
    ends = isinstance(action, Terminate | Kill | Remove) and action.pilot.id not in state.endings
    evicted = Account()
    if ends and code in EVICTIONS:
        lost = action.pilot.lost(now)
        evicted = Account(evicted=1, reaction=reaction, reaction_max=reaction, lost=lost)
    if isinstance(action, Remove):
        known = state.endings.get(action.pilot.id)
        why = cause(known.reason if known else action.reason)
        return evicted + Account(ended={why: 1}, lived=action.pilot.lifetime or 0.0)
    return evicted


def cause(reason: Reason) -> str:
    """Return a reason's short name for tables: ``ttl``, ``exited``, ``low memory``."""
    return reason.code.value.replace("-", " ")


def first_cause(findings: Iterable[Reason]) -> str:
    """Return why cores stay idle: the first finding that is about starting pilots."""
    others = (Code.ENDING, Code.PRESSURE_BUILDING, Code.IMAGE_PINNED, Code.OBJECTIVE_UNKNOWN)
    codes = (cause(f) for f in findings if f.code not in others)
    return next(codes, "starting")
