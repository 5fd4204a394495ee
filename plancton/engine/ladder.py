"""The ladder of protection: idle class, freeze, terminate, kill. Pure.

The idle class is the kernel's work and always in force; killing after the grace is ``finish``.
"""

from __future__ import annotations

from plancton.engine.actions import Freeze, Thaw
from plancton.engine.model import Pilot, PilotState
from plancton.engine.reasons import Code, Reason, because
from plancton.engine.round import Round, cores, end_after, freeze_after
from plancton.engine.state import Step


def thaw(tick: Round) -> None:
    """Let frozen pilots go on when nothing speaks against it any more, the last frozen first."""
    frozen = sorted(
        (p for p in tick.staying() if p.frozen and not tick.held(p)),
        key=lambda p: (-tick.frozen[p.id].since, p.created_at),
    )
    if not frozen or any(w.alarm.step >= Step.FREEZE for w in tick.watches.values()):
        tick.room_since = None
        return
    room = tick.free()
    if room is None or not tick.fits(frozen[0].cpus, room):
        tick.room_since = None
        return
    if tick.room_since is None:
        tick.room_since = tick.now
    if tick.now - tick.room_since < tick.policy.protect.thaw_after:
        return
    for pilot in frozen:
        if not tick.fits(pilot.cpus, room):
            return
        tick.act(Thaw(pilot, because(Code.THAW, room=room)))
        room -= pilot.cpus


def evict(tick: Round) -> None:
    """End the pilots that signals ask for, and those that stay frozen too long."""
    for alarm in tick.alarmed(Step.EVICT):
        victims = tick.victims()
        if alarm.all_at_once:
            for pilot in victims:
                tick.end(pilot, alarm.reason)
        elif victims and not tick.evicting():
            tick.end(victims[0], alarm.reason)
            break
    for pilot in tick.staying():
        known = None if tick.held(pilot) else tick.frozen.get(pilot.id)
        if known and tick.now - known.since >= tick.policy.protect.evict_after:
            lasted = tick.now - known.since
            tick.end(pilot, because(Code.FROZEN_LONG, frozen_s=lasted, why=str(known.reason)))
    _foretell(tick)


def freeze(tick: Round) -> None:
    """Freeze the pilots that signals ask for, and as many as the CPU is overcommitted by."""
    for alarm in tick.alarmed(Step.FREEZE):
        victims = _freezable(tick)
        for pilot in victims if alarm.all_at_once else victims[:1]:
            tick.act(Freeze(pilot, alarm.reason))
    victims, load = _freezable(tick), tick.load
    ours = tick.remaining()
    room = tick.room(ours)
    if room is None or load is None or not (victims and tick.crowded(victims[0], room)):
        tick.overcommitted_since = None
        return
    if tick.overcommitted_since is None:
        tick.overcommitted_since = tick.now
    lasted = tick.now - tick.overcommitted_since
    reason = because(
        Code.PRESSURE,
        excess=-room,
        since_s=lasted,
        foreground=load.foreground,
        ncpus=load.ncpus,
        committed=cores(ours),
    )
    if lasted >= end_after(tick):
        if not tick.evicting():  # the last one's effect shows before the next is taken
            tick.end(victims[0], reason)
    elif not tick.policy.protect.freeze:
        _building(tick, "the youngest pilot is ended", end_after(tick), reason)
    elif lasted < freeze_after(tick):
        _building(tick, "pilots are frozen", freeze_after(tick), reason)
    else:
        _freeze_excess(tick, victims, room, reason)


def _freeze_excess(tick: Round, victims: list[Pilot], room: float, reason: Reason) -> None:
    for pilot in victims:
        if not tick.crowded(pilot, room):
            return
        tick.act(Freeze(pilot, reason))
        room += pilot.cpus


def _freezable(tick: Round) -> list[Pilot]:
    return [p for p in tick.victims() if p.state is PilotState.RUNNING]


def _foretell(tick: Round) -> None:
    """Say what alarms that have not lasted long enough will do."""
    does = {Step.FREEZE: "a pilot is frozen", Step.EVICT: "a pilot is ended"}
    for watch in tick.watches.values():
        waits = watch.met and tick.now - watch.since < watch.alarm.after
        if waits and watch.alarm.step in does and tick.staying():
            _building(tick, does[watch.alarm.step], watch.alarm.after, watch.alarm.reason)


def _building(tick: Round, step: str, after: float, why: Reason) -> None:
    said = because(Code.PRESSURE_BUILDING, step=step, after_s=after, why=str(why))
    tick.findings.append(said)
