"""The rule that starts pilots, and why it does not. Pure."""

from __future__ import annotations

from plancton.config import schema
from plancton.config.units import format_size, level_of
from plancton.engine.actions import Spawn
from plancton.engine.model import ImageStatus, Mode
from plancton.engine.reasons import Code, Reason, Value, because
from plancton.engine.rollout import image_for, short
from plancton.engine.round import FADE, Round, cores, of
from plancton.engine.state import Failing

KEEP_FREE, KEEP_AGAIN = 600.0, 3600.0
"""Seconds for which free cores are kept for a large profile that is owed its share, and until
they may be kept for it again."""
_FORESIGHT = FADE / 10
"""Seconds for which the cores that a profile has now count beside those it had."""
_OWED = 0.5
"""Part of the others' share below which a profile is owed."""


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
        profile = min(able, key=lambda p: _had(tick, p))
        kept = _kept_free(tick, profile, reasons)
        if kept is not None:
            tick.findings.append(kept)
            return
        tick.kept.pop(profile.name, None)
        image, canary = image_for(tick, profile)
        tick.actions.append(Spawn(profile, _why_start(tick, profile, canary), image))


def _no_spawn(tick: Round) -> Reason | None:
    """Return what keeps every profile from starting, if anything does."""
    if tick.seen.mode is not Mode.ACTIVE:
        return because(Code.MODE, mode=tick.seen.mode.value)
    if tick.policy.drain:
        return because(Code.CONFIG_DRAIN)
    held = _pressed(tick)
    if held is not None:
        return held
    if not tick.policy.when:
        return because(Code.WHEN, when=tick.policy.when_text)
    limit = _limit(tick)
    if limit is None and tick.seen.load is None:
        return because(Code.WARMING_UP)
    return limit


def _pressed(tick: Round) -> Reason | None:
    """Return which pressure, present or past, keeps pilots from starting."""
    left = tick.state.hold_until - tick.now
    for watch in tick.watches.values():
        if watch.met:
            return watch.alarm.reason
        over = watch.last + watch.alarm.recover - tick.now
        return because(Code.RECOVERING, left_s=over, why=str(watch.alarm.reason))
    waiting = {p.id for p in tick.live() if not tick.held(p)}
    frozen = len(waiting - {p.id for p in tick.running()})
    if frozen:
        return because(Code.FROZEN_FIRST, frozen=frozen)
    if left > 0:
        return because(Code.HOLD, left_s=left)
    return None


def _limit(tick: Round) -> Reason | None:
    """Return what keeps one more pilot of any profile from starting, if anything does."""
    maximum, per_tick = tick.policy.maximum, tick.policy.spawn.per_tick
    if len(tick.live()) + len(tick.starts()) >= maximum:
        return because(Code.FULL, maximum=maximum)
    if len(tick.starts()) >= per_tick:
        return because(Code.PER_TICK, per_tick=per_tick)
    return None


def _had(tick: Round, profile: schema.Profile) -> float:
    """Return what a profile had lately and has now, relative to its share."""
    now = cores(of(tick.running(), profile)) + cores(tick.starts(profile))
    return (tick.used[profile.name] + now * _FORESIGHT) / profile.share


def _kept_free(
    tick: Round, able: schema.Profile, reasons: dict[str, Reason | None]
) -> Reason | None:
    """Return that cores are kept free for a larger profile, which small ones would starve."""
    for profile in tick.policy.profiles:
        reason, owed = reasons[profile.name], _had(tick, profile)
        if reason is None or reason.code is not Code.NO_ROOM:
            continue
        empty = tick.room(())
        fits = empty is not None and tick.fits(profile.cpus, empty)
        if not fits or owed >= _OWED * _had(tick, able):
            continue
        since = tick.kept.setdefault(profile.name, tick.now)
        if tick.now - since >= KEEP_FREE + KEEP_AGAIN:
            tick.kept[profile.name] = since = tick.now
        left = since + KEEP_FREE - tick.now
        if left > 0:
            part = 100 * owed / (_had(tick, able) or 1.0)
            room = tick.free() or 0.0
            numbers = {"cpus": profile.cpus, "room": room, "owed": 100 - part, "left_s": left}
            return because(Code.KEPT_FREE, profile=profile.name, **numbers)
    return None


def _blocked(tick: Round, profile: schema.Profile) -> Reason | None:
    """Return what keeps this profile from starting a pilot, if anything does."""
    held = _backed_off(tick, profile)
    if held is not None:
        return held
    image = tick.seen.images.get(profile.image)
    if image is None or image.id is None:
        return because(Code.NO_IMAGE, image=profile.image, why=_why_no_image(tick, image))
    maximum = tick.policy.maxima.get(profile.name)
    if maximum is not None and len(of(tick.live(), profile)) + len(tick.starts(profile)) >= maximum:
        return because(Code.PROFILE_FULL, profile=profile.name, maximum=maximum)
    return _no_cores(tick, profile) or _no_memory(tick, profile)


def _no_cores(tick: Round, profile: schema.Profile) -> Reason | None:
    room, load = tick.free(), tick.calm
    if room is None or load is None or tick.fits(profile.cpus, room):
        return None
    return because(
        Code.NO_ROOM,
        profile=profile.name,
        room=max(0.0, room),
        cpus=profile.cpus,
        foreground=load.foreground,
        committed=cores(tick.running()) + cores(tick.starts()),
    )


def _no_memory(tick: Round, profile: schema.Profile) -> Reason | None:
    host, limits = tick.seen.host, tick.policy.protect.memory
    kept = level_of(limits.stop_below, host.memory_total)
    room, wanted = tick.memory_room(), tick.policy.spawn.memory_promise * profile.memory
    if kept is None or room - wanted >= kept:
        return None
    return because(
        Code.NO_MEMORY,
        profile=profile.name,
        room=format_size(max(0.0, room - kept)),
        memory=format_size(wanted),
        kept=format_size(kept),
    )


def _backed_off(tick: Round, profile: schema.Profile) -> Reason | None:
    backoff = tick.backoffs.get(profile.name)
    if backoff is None:
        return None
    if backoff.kind is Failing.OUTDATED:
        image = tick.seen.images.get(profile.image)
        if image and image.id and image.id != backoff.image_id:
            del tick.backoffs[profile.name]
            return None
    name, failures, left = profile.name, backoff.failures, backoff.until - tick.now
    numbers: dict[str, Value] = {
        "profile": name,
        "failures": failures,
        "kind": backoff.kind.value,
    }
    if left > 0:
        return because(Code.BACKOFF, left_s=left, why=backoff.why, **numbers)
    probes = [p for p in of(tick.live(), profile) if p.created_at > backoff.last_failure]
    if probes or tick.starts(profile):
        return because(Code.PROBING, **numbers)
    return None


def _why_no_image(tick: Round, image: ImageStatus | None) -> str:
    if image is None or image.pulling or not image.error:
        return "it is being looked for"
    left = max(0.0, (image.retry_at or tick.now) - tick.now)
    return f"{image.error}; next try in {left:.0f} s"


def _why_start(tick: Round, profile: schema.Profile, canary: bool) -> Reason:
    backoff = tick.backoffs.get(profile.name)
    if backoff is not None:
        failures, kind = backoff.failures, backoff.kind.value
        return because(Code.PROBE, profile=profile.name, failures=failures, kind=kind)
    if canary:
        return because(Code.CANARY, image=short(tick.rollouts[profile.image].trial))
    return because(Code.ROOM, room=tick.free() or 0.0, cpus=profile.cpus)
