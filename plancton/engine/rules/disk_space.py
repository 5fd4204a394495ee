"""Docker's disk running short of space or inodes, and the pilots that took most of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from plancton.config import schema
from plancton.config.units import format_size, level_of
from plancton.engine.model.node import HostSample, Observation
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.pressure import Alarm, Choice, Step
from plancton.engine.model.reason import Code, Reason

NEARLY_FULL = 0.25
"""Below this part of a threshold pilots are killed."""
NO_TIME = 1.0
"""Seconds for which the disk must be nearly full, so that what the last one left shows."""
LITTLE_SIZE, LITTLE_FILES = 1_000_000, 100
"""Bytes and files that are not worth the end of the pilot that wrote them."""


@dataclass(frozen=True, slots=True)
class _Shortage:
    """Less is free than a threshold asks for."""

    free: str
    limit: str
    nearly_full: bool
    choice: Choice


def disk_alarms(observation: Observation, disk: schema.Disk) -> Iterator[Alarm]:
    """Yield an alarm for each step that is asked for: by space, or else by inodes."""
    host = observation.host
    stop = _space(host, disk.stop_below) or _inodes(host, disk.stop_below_inodes)
    if stop is not None:
        reason = Reason.of(Code.LOW_DISK, free=stop.free, limit=stop.limit)
        yield Alarm("disk", Step.STOP, reason, recover=disk.recover)
    evict = _space(host, disk.evict_below) or _inodes(host, disk.evict_below_inodes)
    greedy = by_choice(observation.pilots, evict.choice) if evict else []
    if evict is not None and greedy:
        alarm = Alarm(
            "disk",
            Step.EVICT,
            Reason.of(Code.FULL_DISK, free=evict.free, limit=evict.limit),
            after=min(NO_TIME, disk.after) if evict.nearly_full else disk.after,
            recover=disk.recover,
            all_at_once=False,
            choice=evict.choice,
            urgent=evict.nearly_full,
        )
        yield replace(alarm, reason=blame(greedy[0], alarm))


def by_choice(pilots: Iterable[Pilot], choice: Choice) -> list[Pilot]:
    """Return the pilots in the order of *choice*, without those whose end would free nothing.

    Those of which nothing is known come last, in the order given.
    """
    if choice is Choice.VICTIM:
        return list(pilots)
    least = LITTLE_SIZE if choice is Choice.MOST_WRITTEN else LITTLE_FILES
    amounts = {pilot: _amount(pilot, choice) for pilot in pilots if pilot.live}
    worth = [pilot for pilot, amount in amounts.items() if amount is None or amount >= least]
    return sorted(worth, key=lambda pilot: -(amounts[pilot] or 0))


def blame(pilot: Pilot, alarm: Alarm) -> Reason:
    """Return the reason of *alarm*, with the pilot that goes and what it wrote."""
    if alarm.choice is Choice.VICTIM:
        return alarm.reason
    amount = _amount(pilot, alarm.choice)
    files = "files" if alarm.choice is Choice.MOST_FILES else ""
    text = "nobody knows" if amount is None else f"{amount} files" if files else format_size(amount)
    return Reason(alarm.reason.code, {**alarm.reason.values, "who": pilot.label, "written": text})


def _amount(pilot: Pilot, choice: Choice) -> int | None:
    if pilot.written is None:
        return None
    return pilot.written.size if choice is Choice.MOST_WRITTEN else pilot.written.files


def _space(host: HostSample, level: str) -> _Shortage | None:
    limit = level_of(level, host.disk_total)
    if limit is None or host.disk_free >= limit:
        return None
    nearly_full = host.disk_free < NEARLY_FULL * limit
    free, asked = format_size(host.disk_free), format_size(limit)
    return _Shortage(free, asked, nearly_full, Choice.MOST_WRITTEN)


def _inodes(host: HostSample, level: str) -> _Shortage | None:
    """Return what is short; some file systems have no inodes to count."""
    limit = level_of(level, 100.0)
    if limit is None or not host.inodes_total:
        return None
    share = 100.0 * host.inodes_free / host.inodes_total
    if share >= limit:
        return None
    free, asked = f"{share:.1f} % of the inodes", f"{limit:g} %"
    return _Shortage(free, asked, share < NEARLY_FULL * limit, Choice.MOST_FILES)
