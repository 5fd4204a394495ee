"""Rules that end pilots for other reasons than pressure, and learn from their ends. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.engine.actions import Freeze, Kill, Remove, Thaw
from plancton.engine.backoff import after_failure
from plancton.engine.model import Mode, Pilot, PilotState, Wish
from plancton.engine.reasons import Code, because
from plancton.engine.round import Round
from plancton.engine.state import Failing

START_LIMIT = 30.0
"""Seconds after which a created container that has not started is an orphan."""


def reap(tick: Round) -> None:
    """Remove what has exited or never started, and learn from how it ended."""
    for pilot in tick.seen.pilots:
        if pilot.state in (PilotState.EXITED, PilotState.DEAD):
            if pilot.id not in tick.handled:
                _learn(tick, pilot)
            lifetime = pilot.lifetime
            code = "unknown" if pilot.exit_code is None else pilot.exit_code
            lived = "no time" if lifetime is None else lifetime
            tick.act(Remove(pilot, because(Code.EXITED, exit_code=code, lifetime_s=lived)))
        elif pilot.state is PilotState.CREATED and (
            # A creation in the future was before a reboot: the boot clock began anew.
            abs(tick.now - pilot.created_at) > START_LIMIT
        ):
            age = max(0.0, tick.now - pilot.created_at)
            why = pilot.error or "Docker gives no reason"
            tick.act(Remove(pilot, because(Code.NEVER_STARTED, age_s=age, error=why)))
            if pilot.id not in tick.handled:
                _fail(tick, pilot, Failing.FAILED, "it never started")
        elif pilot.state is PilotState.RUNNING:
            _forgive(tick, pilot, tick.now)


def _learn(tick: Round, pilot: Pilot) -> None:
    profile, name = _profile(tick, pilot), pilot.name or pilot.id[:12]
    unknown = pilot.lifetime is None and pilot.started_at is not None
    if pilot.id in tick.endings or unknown:
        tick.handled |= {pilot.id}
    elif pilot.exit_code in profile.no_work:
        _fail(tick, pilot, Failing.NO_WORK, f"{name} found no work")
    elif pilot.exit_code in profile.broken_node:
        _fail(tick, pilot, Failing.BROKEN, f"{name} says that this node cannot do its work")
    elif pilot.exit_code in profile.outdated_image:
        tick.refresh.add(profile.image)
        _fail(tick, pilot, Failing.OUTDATED, f"{name} says that its image is outdated")
    elif (pilot.lifetime or 0.0) < short_life(tick, profile):
        _fail(tick, pilot, Failing.FAILED, f"{name} exited with code {pilot.exit_code}")
    else:
        _forgive(tick, pilot, pilot.finished_at or tick.now)


def short_life(tick: Round, profile: schema.Profile) -> float:
    """Seconds below which a pilot's own end is a failure."""
    own = profile.short_life
    return tick.policy.spawn.short_life if own is None else own


def _profile(tick: Round, pilot: Pilot) -> schema.Profile:
    known = (each for each in tick.policy.profiles if each.name == pilot.profile)
    return next(known, schema.Profile())


def _fail(tick: Round, pilot: Pilot, kind: Failing, why: str) -> None:
    tick.handled |= {pilot.id}
    known, profile = tick.backoffs.get(pilot.profile), _profile(tick, pilot)
    tick.backoffs[pilot.profile] = after_failure(
        known, tick.now, tick.policy.spawn, profile, why, pilot.created_at, kind, pilot.image_id
    )


def _forgive(tick: Round, pilot: Pilot, until: float) -> None:
    """End the back-off of a profile when a pilot younger than its last failure has lived."""
    known, started = tick.backoffs.get(pilot.profile), pilot.started_at
    if known is None or started is None or started <= known.last_failure:
        return
    if until - started >= known.proof:
        del tick.backoffs[pilot.profile]


def obey(tick: Round) -> None:
    """Do what the operator asked for at once; this is also quicker than any TTL."""
    reason = because(Code.OPERATOR, mode=tick.seen.mode.value)
    if tick.seen.mode is Mode.FORCED:
        for pilot in tick.live():
            tick.act((Remove if pilot.state is PilotState.CREATED else Kill)(pilot, reason))
    elif tick.seen.mode is Mode.ENDING:
        for pilot in tick.staying():
            tick.end(pilot, reason)
    for pilot in tick.live():
        wish = tick.seen.wishes.get(pilot.id)
        if wish is not None and pilot.id not in tick.acted:
            _fulfil(tick, pilot, wish)


def _fulfil(tick: Round, pilot: Pilot, wish: Wish) -> None:
    reason = because(Code.WISH, wish=wish.value)
    ending = tick.endings.get(pilot.id)
    if wish is Wish.KILL and (ending is None or ending.reason.code is not Code.WISH):
        tick.endings.pop(pilot.id, None)  # killed for this reason, whatever ended it before
        tick.act((Remove if pilot.state is PilotState.CREATED else Kill)(pilot, reason))
    elif wish is Wish.FREEZE and pilot.state is PilotState.RUNNING and ending is None:
        tick.act(Freeze(pilot, reason))
    elif wish is Wish.THAW and pilot.frozen:
        tick.act(Thaw(pilot, reason))


def retire(tick: Round) -> None:
    """End pilots whose time to live is over."""
    for pilot in tick.staying():
        if pilot.deadline_at is not None and pilot.deadline_at <= tick.now:
            tick.end(pilot, because(Code.TTL, over_s=tick.now - pilot.deadline_at))


def finish(tick: Round) -> None:
    """Kill pilots that did not end within their grace after SIGTERM."""
    for pilot in tick.live():
        ending = tick.endings.get(pilot.id)
        if ending is None or pilot.id in tick.acted:
            continue
        if ending.kill_at <= tick.now:
            tick.act(Kill(pilot, because(Code.GRACE_OVER, why=str(ending.reason))))
        else:
            left, name = ending.kill_at - tick.now, pilot.name or pilot.id[:12]
            tick.findings.append(
                because(Code.ENDING, pilot=name, left_s=left, why=str(ending.reason))
            )


def shrink(tick: Round) -> None:
    """End the pilots beyond a lowered maximum, of the node or of one profile."""
    for profile in tick.policy.profiles:
        maximum = tick.policy.maxima.get(profile.name)
        if maximum is not None:
            _shrink(tick, [p for p in tick.victims() if p.profile == profile.name], maximum)
    _shrink(tick, tick.victims(), tick.policy.maximum)


def _shrink(tick: Round, pilots: list[Pilot], maximum: int) -> None:
    reason = because(Code.SHRINK, running=len(pilots), maximum=maximum)
    for pilot in pilots[: max(0, len(pilots) - maximum)]:
        tick.end(pilot, reason)
