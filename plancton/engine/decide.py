"""Decide what to do with the node. Pure: data and ``now`` in, actions with reasons out.

The rules stand below in their order of precedence; a pilot that one rule acted upon is left
alone by the later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from plancton.config import schema
from plancton.engine.backoff import after_failure
from plancton.engine.model import (
    Action,
    Decision,
    ImageStatus,
    Kill,
    Mode,
    Observation,
    Pilot,
    PilotState,
    Policy,
    Remove,
    Spawn,
    State,
    Terminate,
)
from plancton.engine.reasons import Code, Reason, because

START_LIMIT = 30.0
"""Seconds after which a created container that has not started is an orphan."""

ENDS_WHEN_EMPTY = (Mode.STOPPING, Mode.ENDING, Mode.FORCED)


def decide(observation: Observation, policy: Policy, state: State, now: float) -> Decision:
    """Return what to do now, why nothing more is done, and the state that follows."""
    tick = Round(observation, policy, state, now)
    for rule in RULES:
        rule(tick)
    return tick.decision()


class Round:
    """The working set of one decision: what is known, and what was decided so far."""

    def __init__(self, observation: Observation, policy: Policy, state: State, now: float) -> None:
        """Start from the state, without what concerns pilots that have gone."""
        self.seen, self.policy, self.now = observation, policy, now
        present = {pilot.id for pilot in observation.pilots}
        self.endings = {id_: end for id_, end in state.endings.items() if id_ in present}
        self.backoffs = dict(state.backoffs)
        self.handled = state.handled & present
        self.pressure_since = state.pressure_since
        self.state = state
        self.actions: list[Action] = []
        self.findings: list[Reason] = []
        self.acted: set[str] = set()

    def act(self, action: Terminate | Kill | Remove) -> None:
        """Decide an action on a pilot, which later rules then leave alone."""
        self.actions.append(action)
        self.acted.add(action.pilot.id)

    def end(self, pilot: Pilot, reason: Reason) -> None:
        """Ask a pilot to go; one that never started is removed."""
        action = Remove if pilot.state is PilotState.CREATED else Terminate
        self.act(action(pilot, reason))

    def live(self) -> list[Pilot]:
        """Pilots that hold cores, youngest first, those about to go included."""
        live = [p for p in self.seen.pilots if p.live and not self._removed(p)]
        return sorted(live, key=lambda p: (p.created_at, p.id), reverse=True)

    def staying(self) -> list[Pilot]:
        """Pilots that hold cores and were not asked to go, youngest first."""
        return [p for p in self.live() if p.id not in self.endings and p.id not in self.acted]

    def _removed(self, pilot: Pilot) -> bool:
        return any(isinstance(a, Remove) and a.pilot.id == pilot.id for a in self.actions)

    def starts(self, profile: schema.Profile | None = None) -> list[schema.Profile]:
        """Profiles of the pilots decided to start so far, one entry each."""
        starts = [a.profile for a in self.actions if isinstance(a, Spawn)]
        return [each for each in starts if profile is None or each.name == profile.name]

    def room(self, pilots: Iterable[Pilot]) -> float | None:
        """Cores free beside *pilots* and those starting, negative when overcommitted.

        ``ceiling * cores - reserve - foreground - committed``; None while unmeasured.
        """
        load, limits = self.seen.load, self.policy.spawn
        if load is None:
            return None
        committed = cores(pilots) + cores(self.starts())
        return limits.ceiling * load.ncpus - limits.reserve - load.foreground - committed

    def decision(self) -> Decision:
        """Close the round."""
        left = [p for p in self.seen.pilots if p.state is not PilotState.REMOVING]
        state = replace(
            self.state,
            endings=self.endings,
            backoffs=self.backoffs,
            handled=self.handled,
            pressure_since=self.pressure_since,
        )
        finished = self.seen.mode in ENDS_WHEN_EMPTY and not left
        return Decision(tuple(self.actions), tuple(self.findings), state, finished, self._wake_at())

    def _wake_at(self) -> float | None:
        times = [end.kill_at for end in self.endings.values()]
        times += [p.deadline_at for p in self.staying() if p.deadline_at is not None]
        times += [backoff.until for backoff in self.backoffs.values()]
        times += [self.state.hold_until]
        if self.pressure_since is not None:
            times.append(self.pressure_since + self.policy.protect.evict_after)
        return min((at for at in times if at > self.now), default=None)


def cores(pilots: Iterable[Pilot] | Iterable[schema.Profile]) -> float:
    """Cores promised to these pilots."""
    return sum(pilot.cpus for pilot in pilots)


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
                _fail(tick, pilot, "it never started")
        elif pilot.state is PilotState.RUNNING:
            _forgive(tick, pilot, tick.now)


def _learn(tick: Round, pilot: Pilot) -> None:
    unknown = pilot.lifetime is None and pilot.started_at is not None
    if pilot.id in tick.endings or unknown:
        tick.handled |= {pilot.id}
    elif (pilot.lifetime or 0.0) < tick.policy.spawn.short_life:
        _fail(tick, pilot, f"{pilot.name or pilot.id[:12]} exited with code {pilot.exit_code}")
    else:
        _forgive(tick, pilot, pilot.finished_at or tick.now)


def _fail(tick: Round, pilot: Pilot, why: str) -> None:
    tick.handled |= {pilot.id}
    known = tick.backoffs.get(pilot.profile)
    tick.backoffs[pilot.profile] = after_failure(
        known, tick.now, tick.policy.spawn, why, pilot.created_at
    )


def _forgive(tick: Round, pilot: Pilot, until: float) -> None:
    """End the back-off of a profile when a pilot younger than its last failure has lived."""
    known, started = tick.backoffs.get(pilot.profile), pilot.started_at
    if known is None or started is None or started <= known.last_failure:
        return
    if until - started >= tick.policy.spawn.short_life:
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


def relieve(tick: Round) -> None:
    """Evict the youngest pilot when the CPU is overcommitted for long enough.

    One at a time: the next is taken only when the last one has gone and the pressure has
    lasted anew, so that each eviction's effect is seen before the next.
    """
    staying, load = tick.staying(), tick.seen.load
    room = tick.room(staying)
    if room is None or load is None:
        return
    protect = tick.policy.protect
    if not staying or room >= -protect.evict_room * staying[0].cpus:
        tick.pressure_since = None
        return
    if any(end.reason.code is Code.PRESSURE for end in tick.endings.values()):
        return
    if tick.pressure_since is None:
        tick.pressure_since = tick.now
    lasted = tick.now - tick.pressure_since
    numbers = {"excess": -room, "since_s": lasted}
    if lasted < protect.evict_after:
        building = because(Code.PRESSURE_BUILDING, after_s=protect.evict_after, **numbers)
        tick.findings.append(building)
        return
    pressure = because(Code.PRESSURE, foreground=load.foreground, ncpus=load.ncpus, **numbers)
    tick.end(staying[0], pressure)


def shrink(tick: Round) -> None:
    """End the youngest pilots beyond a lowered maximum."""
    staying, maximum = tick.staying(), tick.policy.maximum
    reason = because(Code.SHRINK, running=len(staying), maximum=maximum)
    for pilot in staying[: max(0, len(staying) - maximum)]:
        tick.end(pilot, reason)


def spawn(tick: Round) -> None:
    """Start pilots while there is room, at most so many a tick, profiles by their share."""
    held = _no_spawn(tick)
    if held is not None:
        tick.findings.append(held)
        return
    while True:
        reasons = {p.name: _blocked(tick, p) for p in tick.policy.profiles}
        able = [p for p in tick.policy.profiles if reasons[p.name] is None]
        limit = _limit(tick)
        if limit is not None and (able or limit.code is Code.FULL):
            tick.findings.append(limit)
            return
        if not able:
            tick.findings += [reason for reason in reasons.values() if reason]
            return
        profile = min(able, key=lambda p: _committed(tick, p) / p.share)
        tick.actions.append(Spawn(profile, _why_start(tick, profile)))


def _limit(tick: Round) -> Reason | None:
    """Return what keeps one more pilot of any profile from starting, if anything does."""
    maximum, per_tick = tick.policy.maximum, tick.policy.spawn.per_tick
    if len(tick.live()) + len(tick.starts()) >= maximum:
        return because(Code.FULL, maximum=maximum)
    if len(tick.starts()) >= per_tick:
        return because(Code.PER_TICK, per_tick=per_tick)
    return None


def _committed(tick: Round, profile: schema.Profile) -> float:
    return cores(_of(tick.live(), profile)) + cores(tick.starts(profile))


def _no_spawn(tick: Round) -> Reason | None:
    """Return what keeps every profile from starting, if anything does."""
    left = tick.state.hold_until - tick.now
    if tick.seen.mode is not Mode.ACTIVE:
        return because(Code.MODE, mode=tick.seen.mode.value)
    if left > 0:
        return because(Code.HOLD, left_s=left)
    limit = _limit(tick)
    if limit is None and tick.seen.load is None:
        return because(Code.WARMING_UP)
    return limit


def _blocked(tick: Round, profile: schema.Profile) -> Reason | None:
    """Return what keeps this profile from starting a pilot, if anything does."""
    held = _backed_off(tick, profile)
    if held is not None:
        return held
    image = tick.seen.images.get(profile.image)
    if image is None or image.id is None:
        return because(Code.NO_IMAGE, image=profile.image, why=_why_no_image(tick, image))
    room, load = tick.room(tick.live()), tick.seen.load
    if room is None or load is None or room >= tick.policy.spawn.min_room * profile.cpus:
        return None
    return because(
        Code.NO_ROOM,
        profile=profile.name,
        room=max(0.0, room),
        cpus=profile.cpus,
        foreground=load.foreground,
        committed=cores(tick.live()) + cores(tick.starts()),
    )


def _backed_off(tick: Round, profile: schema.Profile) -> Reason | None:
    backoff = tick.backoffs.get(profile.name)
    if backoff is None:
        return None
    name, failures, left = profile.name, backoff.failures, backoff.until - tick.now
    if left > 0:
        return because(Code.BACKOFF, profile=name, failures=failures, left_s=left, why=backoff.why)
    probes = [p for p in _of(tick.live(), profile) if p.created_at > backoff.last_failure]
    if probes or tick.starts(profile):
        return because(Code.PROBING, profile=name, failures=failures)
    return None


def _why_no_image(tick: Round, image: ImageStatus | None) -> str:
    if image is None or image.pulling or not image.error:
        return "it is being looked for"
    left = max(0.0, (image.retry_at or tick.now) - tick.now)
    return f"{image.error}; next try in {left:.0f} s"


def _why_start(tick: Round, profile: schema.Profile) -> Reason:
    backoff = tick.backoffs.get(profile.name)
    if backoff is not None:
        return because(Code.PROBE, profile=profile.name, failures=backoff.failures)
    return because(Code.ROOM, room=tick.room(tick.live()) or 0.0, cpus=profile.cpus)


def _of(pilots: Iterable[Pilot], profile: schema.Profile) -> list[Pilot]:
    return [pilot for pilot in pilots if pilot.profile == profile.name]


RULES: tuple[Callable[[Round], None], ...] = (
    reap,
    obey,
    retire,
    finish,
    relieve,
    shrink,
    spawn,
)
