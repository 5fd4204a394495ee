"""Rule: start pilots while there is room, and say why not. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.config.units import format_size, level_of
from plancton.engine.model.action import Spawn, Starting
from plancton.engine.model.node import ImageStatus, Limit
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code, Reason, Value
from plancton.engine.model.state import FailureKind
from plancton.engine.rules.canary import image_for, short
from plancton.engine.rules.capacity import of_profile
from plancton.engine.rules.context import DecisionContext
from plancton.engine.rules.fair_share import kept_free, recent_use

FEWEST_STARTS, MOST_STARTS, CORES_PER_START = 4, 16, 8
"""Starts at a time: one for so many cores, as many on a small node, and no more on a large one."""
SLOW_START = 10.0
"""Seconds after which a start under way, which may hang, is not waited for by other profiles."""


def spawn(context: DecisionContext) -> None:
    """Start pilots while there is room, at most so many a tick, profiles by their share."""
    blocked = _blocked_for_all(context)
    if blocked is not None:
        context.findings.append(blocked)
        return
    while True:
        reasons = {p.name: _blocked(context, p) for p in context.policy.profiles}
        able = [p for p in context.policy.profiles if reasons[p.name] is None]
        limit = _start_limit(context)
        if limit is not None and (able or limit.code is Code.FULL):
            context.findings.append(limit)
            return
        if not able:
            context.findings += [reason for reason in reasons.values() if reason]
            return
        profile = min(able, key=lambda p: recent_use(context, p))
        kept = kept_free(context, profile, reasons)
        if kept is not None:
            context.findings.append(kept)
            return
        context.kept_free_since.pop(profile.name, None)
        image, canary = image_for(context, profile)
        context.actions.append(Spawn(profile, _why_start(context, profile, canary), image))


def _blocked_for_all(context: DecisionContext) -> Reason | None:
    """Return what keeps every profile from starting, if anything does."""
    if context.observation.mode is not Mode.ACTIVE:
        return Reason.of(Code.MODE, mode=context.observation.mode.value)
    if context.policy.drain:
        return Reason.of(Code.CONFIG_DRAIN)
    pressed = _memory_is_unguarded(context) or _held_by_pressure(context)
    if pressed is not None:
        return pressed
    if not context.policy.when:
        return Reason.of(Code.WHEN, when=context.policy.when_text)
    limit = _start_limit(context)
    if limit is None and context.observation.load is None:
        return Reason.of(Code.WARMING_UP)
    return limit


def _memory_is_unguarded(context: DecisionContext) -> Reason | None:
    """Return that neither a limit nor a signal would keep pilots from taking all memory."""
    evicts = context.policy.protect.memory.evict_below != "off"
    if evicts or Limit.MEMORY not in context.observation.unenforced:
        return None
    return Reason.of(Code.NO_MEMORY_LIMIT)


def _held_by_pressure(context: DecisionContext) -> Reason | None:
    """Return which pressure, present or past, keeps pilots from starting."""
    for tracked in context.tracked_alarms.values():
        if tracked.met:
            return tracked.alarm.reason
        left = tracked.last + tracked.alarm.recover - context.now
        return Reason.of(Code.RECOVERING, left_s=left, why=str(tracked.alarm.reason))
    waiting = {p.id for p in context.live() if not context.held_by_operator(p)}
    frozen = len(waiting - {p.id for p in context.running()})
    if frozen:
        return Reason.of(Code.FROZEN_FIRST, frozen=frozen)
    hold = context.state.hold_until - context.now
    if hold > 0:
        return Reason.of(Code.HOLD, left_s=hold)
    return None


def _start_limit(context: DecisionContext) -> Reason | None:
    """Return what keeps one more pilot of any profile from starting, if anything does."""
    maximum, starts = context.policy.maximum, len(context.planned_starts())
    if len(context.live()) + starts >= maximum:
        return Reason.of(Code.FULL, maximum=maximum)
    at_once = _starts_at_once(context)
    if starts - len(_slow_starts(context)) >= at_once or starts >= max(at_once, MOST_STARTS):
        return Reason.of(Code.PER_TICK, per_tick=at_once)
    return None


def _starts_at_once(context: DecisionContext) -> int:
    """Return how many pilots may be starting at a time.

    Docker starts them outside of the idle class, with about a quarter of a core-second each.
    """
    if context.policy.starts_at_once is not None:
        return context.policy.starts_at_once
    asked, ncpus = context.policy.spawn.per_tick, context.observation.host.ncpus
    by_cores = max(FEWEST_STARTS, ncpus // CORES_PER_START)
    return min(by_cores if isinstance(asked, str) else asked, MOST_STARTS)


def _slow_starts(context: DecisionContext, profile: schema.Profile | None = None) -> list[Starting]:
    """Return the starts under way that take so long that nobody should wait for them."""
    return [
        each
        for each in context.observation.starting
        if context.now - each.since >= SLOW_START
        and (profile is None or each.profile.name == profile.name)
    ]


def _blocked(context: DecisionContext, profile: schema.Profile) -> Reason | None:
    """Return what keeps this profile from starting a pilot, if anything does."""
    backed_off = _backed_off(context, profile)
    if backed_off is not None:
        return backed_off
    for slow in _slow_starts(context, profile):
        since = context.now - slow.since
        return Reason.of(Code.SLOW_START, profile=profile.name, pilot=slow.name, since_s=since)
    image = context.observation.images.get(profile.image)
    if image is None or image.id is None:
        return Reason.of(Code.NO_IMAGE, image=profile.image, why=_why_no_image(context, image))
    maximum = context.policy.maxima.get(profile.name)
    count = len(of_profile(context.live(), profile)) + len(context.planned_starts(profile))
    if maximum is not None and count >= maximum:
        return Reason.of(Code.PROFILE_FULL, profile=profile.name, maximum=maximum)
    return _no_cores(context, profile) or _no_memory(context, profile)


def _no_cores(context: DecisionContext, profile: schema.Profile) -> Reason | None:
    room, load = context.spawn_room(), context.capacity.spawn_load
    if room is None or load is None:
        return None
    if context.capacity.fits(profile.cpus, room, context.committed()):
        return None
    return Reason.of(
        Code.NO_ROOM,
        profile=profile.name,
        room=max(0.0, room),
        cpus=profile.cpus,
        foreground=load.foreground,
        committed=context.committed(),
        overcommit=_how_overcommitted(context.capacity.overcommit),
    )


def _how_overcommitted(factor: float) -> str:
    return "" if factor == 1 else f", {factor:.2f} times what is free may be"


def _no_memory(context: DecisionContext, profile: schema.Profile) -> Reason | None:
    host, limits = context.observation.host, context.policy.protect.memory
    kept = level_of(limits.stop_below, host.memory_total)
    room = context.capacity.memory_room(context.live(), context.planned_starts())
    wanted = context.policy.spawn.memory_promise * profile.memory
    if kept is None or room - wanted >= kept:
        return None
    return Reason.of(
        Code.NO_MEMORY,
        profile=profile.name,
        room=format_size(max(0.0, room - kept)),
        memory=format_size(wanted),
        kept=format_size(kept),
    )


def _backed_off(context: DecisionContext, profile: schema.Profile) -> Reason | None:
    backoff = context.backoffs.get(profile.name)
    if backoff is None:
        return None
    if backoff.kind is FailureKind.OUTDATED:
        image = context.observation.images.get(profile.image)
        if image and image.id and image.id != backoff.image_id:
            del context.backoffs[profile.name]
            return None
    name, failures, left = profile.name, backoff.failures, backoff.until - context.now
    numbers: dict[str, Value] = {
        "profile": name,
        "failures": failures,
        "kind": backoff.kind.value,
    }
    if left > 0:
        return Reason.of(Code.BACKOFF, left_s=left, why=backoff.why, **numbers)
    probes = [p for p in of_profile(context.live(), profile) if p.created_at > backoff.last_failure]
    if probes or context.planned_starts(profile):
        return Reason.of(Code.PROBING, **numbers)
    return None


def _why_no_image(context: DecisionContext, image: ImageStatus | None) -> str:
    if image is None or image.pulling or not image.error:
        return "it is being looked for"
    left = max(0.0, (image.retry_at or context.now) - context.now)
    return f"{image.error}; next try in {left:.0f} s"


def _why_start(context: DecisionContext, profile: schema.Profile, canary: bool) -> Reason:
    backoff = context.backoffs.get(profile.name)
    if backoff is not None:
        failures, kind = backoff.failures, backoff.kind.value
        return Reason.of(Code.PROBE, profile=profile.name, failures=failures, kind=kind)
    if canary:
        return Reason.of(Code.CANARY, image=short(context.rollouts[profile.image].trial))
    return Reason.of(Code.ROOM, room=context.spawn_room() or 0.0, cpus=profile.cpus)
