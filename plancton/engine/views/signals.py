"""Every signal with its reading, what it may do, and what it does now, for people. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.config.calendar import name_of
from plancton.config.units import format_duration, format_size, level_of
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.policy import evict_after, freeze_after
from plancton.engine.model.pressure import Step
from plancton.engine.model.reason import Code
from plancton.engine.model.state import State
from plancton.engine.rules.objectives import known_value, reading_of, signal_of, with_unit
from plancton.engine.views.snapshot import ObjectiveView, SignalView

_CPU = (Code.PRESSURE, Code.STARVED)
_WORDS = {Step.STOP: "stop", Step.FREEZE: "freeze", Step.EVICT: "evict"}


def signal_views(
    observation: Observation, protect: schema.Protect, state: State
) -> tuple[SignalView, ...]:
    """Return all signals, those that are off too."""
    host = observation.host
    rows = [_cpu(observation, protect), _memory(host, protect.memory), _disk(host, protect.disk)]
    rows += [_stall(host, name, getattr(protect.stall, name)) for name in ("cpu", "memory", "io")]
    rows += [_load(host, protect.load), _user(host, protect.user), _battery(host, protect.battery)]
    rows.append(_calendar(host, protect.calendar))
    rows += [_objective(observation, each) for each in protect.slo]
    return tuple(SignalView(*row, acts=_acts(row[0], state)) for row in rows)


def objective_views(observation: Observation, protect: schema.Protect) -> tuple[ObjectiveView, ...]:
    """Return all objectives of the owner, with what is known of them."""
    now = observation.host.at
    found = [(each, reading_of(each, observation)) for each in protect.slo]
    return tuple(
        ObjectiveView(
            each.name,
            known_value(each, observation),
            each.limit,
            each.shown_unit,
            None if reading.value is None else max(0.0, now - reading.at),
            reading.error,
        )
        for each, reading in found
    )


def _acts(name: str, state: State) -> str:
    steps = [
        w.alarm.step for w in state.tracked_alarms.values() if w.active and w.alarm.signal == name
    ]
    if name == "cpu" and any(f.reason.code in _CPU for f in state.frozen.values()):
        return "freeze"
    return _WORDS[max(steps)] if steps else ""


def _cpu(observation: Observation, protect: schema.Protect) -> tuple[str, str, str]:
    load, unprotected = observation.load, observation.host.protection.incomplete
    reading = f"{load.foreground:.2f} cores of foreground" if load else "being measured"
    first = format_duration(freeze_after(protect, unprotected=unprotected))
    freeze = f"freeze after {first}, " if protect.freeze else ""
    end = format_duration(evict_after(protect, unprotected=unprotected))
    return "cpu", reading, f"{freeze}evict after {end}"


def _memory(host: HostSample, memory: schema.Memory) -> tuple[str, str, str]:
    steps = [("stop", memory.stop_below), ("evict", memory.evict_below)]
    if host.swap_total:
        steps.append(("take frozen pilots' memory", memory.reclaim_below))
    levels = ((step, level_of(text, host.memory_total)) for step, text in steps)
    limits = [f"{step} below {format_size(level)}" for step, level in levels if level is not None]
    return "memory", f"{format_size(host.memory_available)} available", ", ".join(limits) or "off"


def _disk(host: HostSample, disk: schema.Disk) -> tuple[str, str, str]:
    reading, inodes = f"{format_size(host.disk_free)} free", host.inodes_total
    if inodes:
        reading += f", {100 * host.inodes_free / inodes:.0f} % of inodes"
    steps = (
        ("stop", disk.stop_below, disk.stop_below_inodes),
        ("evict", disk.evict_below, disk.evict_below_inodes),
    )
    limits = []
    for step, space, share in steps:
        level, part = level_of(space, host.disk_total), level_of(share, 100)
        below = [] if level is None else [format_size(level)]
        below += [f"{part:g} % of inodes"] if inodes and part is not None else []
        limits += [f"{step} below {' or '.join(below)}"] if below else []
    return "disk", reading, ", ".join(limits) or "off"


def _stall(host: HostSample, name: str, stall: schema.Stall) -> tuple[str, str, str]:
    measured = host.stalled.get(name)
    reading = f"{measured.percent:.0f} % of 10 s" if measured else "not measured by this kernel"
    if measured and name == "cpu":
        reading += ", the foreground alone" if measured.foreground_only else ", pilots included"
    steps = (
        ("stop", stall.stop_above),
        ("freeze", stall.freeze_above),
        ("evict", stall.evict_above),
    )
    limits = [f"{step} above {limit:g} %" for step, limit in steps if limit is not None]
    return f"{name} stall", reading, ", ".join(limits) or "off"


def _objective(observation: Observation, objective: schema.Objective) -> tuple[str, str, str]:
    reading = reading_of(objective, observation)
    text = "not read yet"
    if reading.value is not None:
        age = format_duration(max(0, round(observation.host.at - reading.at)))
        known = known_value(objective, observation) is not None
        text = f"{with_unit(reading.value, objective)}, {age} ago{'' if known else ', too old'}"
    if reading.error:
        text = f"{text}; FAILS: {reading.error}"
    limit = with_unit(objective.limit, objective)
    off = objective.step == "off"
    return signal_of(objective), text, f"{'shown' if off else objective.step} above {limit}"


def _load(host: HostSample, load: schema.Load) -> tuple[str, str, str]:
    limit = "off" if load.stop_above is None else f"stop above {load.stop_above.text}"
    return "load", f"{host.load1:.2f}", limit


def _user(host: HostSample, user: schema.User) -> tuple[str, str, str]:
    idle = host.user_idle
    last = "" if idle is None else f", last active {format_duration(idle)} ago"
    reading = f"{host.users} logged in{last}" if host.users else "nobody logged in"
    on = user.presence != "off" and user.step != "off"
    return "user", reading, f"{user.step} while {user.presence}" if on else "off"


def _battery(host: HostSample, battery: schema.Battery) -> tuple[str, str, str]:
    readings = {None: "no battery", True: "on its battery", False: "on the mains"}
    text = "off" if battery.step == "off" else f"{battery.step} on battery"
    return "battery", readings[host.on_battery], text


def _calendar(host: HostSample, calendar: schema.Calendar) -> tuple[str, str, str]:
    lent = host.minute_of_week in calendar.lend
    change = calendar.lend.until(host.minute_of_week)
    until = "" if change is None else f" until {name_of(change)}"
    off = calendar.step == "off" or not calendar.lend.spans
    limits = "off" if off else f"{calendar.step} outside of {calendar.lend}"
    return "calendar", f"{'lent' if lent else 'not lent'}{until}", limits
