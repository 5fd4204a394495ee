"""From an observation to alarms, and alarms in time: since when, and over since when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from plancton.config import schema
from plancton.config.calendar import name_of
from plancton.config.units import format_size, level_of
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.policy import Policy
from plancton.engine.model.pressure import Alarm, Step, TrackedAlarm
from plancton.engine.model.reason import Code, Reason
from plancton.engine.rules.disk_space import disk_alarms
from plancton.engine.rules.objectives import objective_alarms


def detect_alarms(observation: Observation, policy: Policy) -> Iterator[Alarm]:
    """Yield each signal that is beyond a threshold now.

    The CPU, and memory for new pilots, have rules of their own.
    """
    host, protect = observation.host, policy.protect
    yield from _memory(host, protect.memory)
    yield from disk_alarms(observation, protect.disk)
    for resource in ("cpu", "memory", "io"):
        yield from _stall(host, resource, getattr(protect.stall, resource))
    yield from objective_alarms(observation, protect.slo)
    limit = policy.load_limit
    if limit is not None and host.load1 > limit:
        reason = Reason.of(Code.HIGH_LOAD, load=host.load1, limit=limit)
        yield Alarm("load", Step.STOP, reason, recover=protect.load.recover)
    yield from _step_alarm(
        "user", protect.user.step, present(host, protect.user), protect.user.recover
    )
    battery = Reason.of(Code.BATTERY) if host.on_battery else None
    yield from _step_alarm("battery", protect.battery.step, battery, protect.battery.recover)
    yield from _step_alarm("calendar", protect.calendar.step, _closed(host, protect.calendar), 0.0)


def track_alarms(
    met: Iterable[Alarm], before: Mapping[str, TrackedAlarm], now: float
) -> dict[str, TrackedAlarm]:
    """Return the alarms in time as of *now*.

    An alarm is active once it has lasted for its ``after``, and stays so until it has been over
    for its ``recover``.
    """
    new = {}
    for alarm in met:
        key = f"{alarm.signal} {alarm.step.name.lower()}"
        known = before.get(key)
        since = known.since if known and known.met else now
        active = now - since >= alarm.after or bool(known and known.active)
        values = {**alarm.reason.values, "since_s": now - since}
        dated = replace(alarm, reason=Reason(alarm.reason.code, values))
        new[key] = TrackedAlarm(dated, since, now, active)
    for key, known in before.items():
        if key not in new and known.active and now - known.last < known.alarm.recover:
            new[key] = replace(known, met=False)
    return new


def present(host: HostSample, user: schema.User) -> Reason | None:
    """Return that somebody is there, in the sense of the settings."""
    if not host.users or user.presence == "off":
        return None
    active = host.user_idle is not None and host.user_idle < user.idle_after
    if user.presence == "active" and not active:
        return None
    return Reason.of(Code.USER, presence="active" if active else "logged in")


def _memory(host: HostSample, memory: schema.Memory) -> Iterator[Alarm]:
    limit = level_of(memory.evict_below, host.memory_total)
    if limit is not None and host.memory_available < limit:
        available = format_size(host.memory_available)
        reason = Reason.of(Code.LOW_MEMORY, available=available, limit=format_size(limit))
        yield Alarm("memory", Step.EVICT, reason, memory.after, memory.recover, all_at_once=False)


def _stall(host: HostSample, resource: str, stall: schema.Stall) -> Iterator[Alarm]:
    measured = host.stalled.get(resource)
    if measured is None:
        return
    for step, limit in (
        (Step.STOP, stall.stop_above),
        (Step.FREEZE, stall.freeze_above),
        (Step.EVICT, stall.evict_above),
    ):
        if limit is not None and measured.percent > limit:
            after = 0.0 if step is Step.STOP else stall.after
            percent = measured.percent
            reason = Reason.of(Code.STALLED, resource=resource, percent=percent, limit=limit)
            name = f"{resource} stall"
            yield Alarm(name, step, reason, after, stall.recover, all_at_once=False)


def _step_alarm(signal: str, step: str, reason: Reason | None, recover: float) -> Iterator[Alarm]:
    if reason is not None and step != "off":
        yield Alarm(signal, Step[step.upper()], reason, recover=recover)


def _closed(host: HostSample, calendar: schema.Calendar) -> Reason | None:
    if host.minute_of_week in calendar.lend:
        return None
    opens = calendar.lend.until(host.minute_of_week)
    return Reason.of(Code.CALENDAR, until="never" if opens is None else name_of(opens))
