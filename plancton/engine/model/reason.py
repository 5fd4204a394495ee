"""Why things are done and not done: a code, its numbers, and the one sentence they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from plancton.config.units import format_duration

Value = float | int | str


class Code(StrEnum):
    """All reasons there are."""

    # ends of pilots
    EXITED = "exited"
    NEVER_STARTED = "never-started"
    DISAPPEARED = "disappeared"
    TTL = "ttl"
    OPERATOR = "operator"
    PILOT_COMMAND = "wish"
    GRACE_OVER = "grace-over"
    PRESSURE = "pressure"
    STARVED = "starved"
    FROZEN_LONG = "frozen-long"
    SHRINK = "shrink"
    OVER_DISK = "over-disk"
    # freezing and thawing
    THAW = "thaw"
    ADOPTED_FROZEN = "adopted-frozen"
    # signals
    LOW_MEMORY = "low-memory"
    LOW_DISK = "low-disk"
    FULL_DISK = "full-disk"
    STALLED = "stalled"
    HIGH_LOAD = "high-load"
    USER = "user"
    BATTERY = "battery"
    CALENDAR = "calendar"
    OBJECTIVE = "objective"
    OBJECTIVE_UNKNOWN = "objective-unknown"
    RECOVERING = "recovering"
    # what is due next
    NEXT_KILL = "next-kill"
    NEXT_TTL = "next-ttl"
    NEXT_TRY = "next-try"
    NEXT_STEP = "next-step"
    NEXT_RECOVERED = "next-recovered"
    NEXT_EVICTION = "next-eviction"
    NEXT_START = "next-start"
    NEXT_FREEZE = "next-freeze"
    NEXT_END = "next-end"
    NEXT_THAW = "next-thaw"
    # starts
    ROOM = "room"
    PROBE = "probe"
    CANARY = "canary"
    # spares
    SPARE_WANTED = "spare-wanted"
    SPARE_UNWANTED = "spare-unwanted"
    # why nothing more is started
    FULL = "full"
    NO_ROOM = "no-room"
    WARMING_UP = "warming-up"
    HOLD = "hold"
    BACKOFF = "backoff"
    PROBING = "probing"
    NO_IMAGE = "no-image"
    MODE = "mode"
    CONFIG_DRAIN = "config-drain"
    PER_TICK = "per-tick"
    SLOW_START = "slow-start"
    PROFILE_FULL = "profile-full"
    NO_MEMORY = "no-memory"
    NO_MEMORY_TO_THAW = "no-memory-to-thaw"
    NO_MEMORY_LIMIT = "no-memory-limit"
    WHEN = "when"
    FROZEN_FIRST = "frozen-first"
    KEPT_FREE = "kept-free"
    IMAGE_PINNED = "image-pinned"
    # what is building up
    PRESSURE_BUILDING = "pressure-building"
    ENDING = "ending"


EVICTIONS = frozenset(
    {
        Code.PRESSURE,
        Code.STARVED,
        Code.FROZEN_LONG,
        Code.LOW_MEMORY,
        Code.FULL_DISK,
        Code.STALLED,
        Code.USER,
        Code.BATTERY,
        Code.CALENDAR,
        Code.OBJECTIVE,
    }
)
"""Reasons for which a pilot is evicted."""

_SENTENCES: Mapping[Code, str] = {
    Code.EXITED: "it exited with code {exit_code} after {lifetime_s}",
    Code.NEVER_STARTED: "it was created {age_s} ago and never started: {error}",
    Code.DISAPPEARED: "it was removed by somebody else",
    Code.TTL: "its time to live is over",
    Code.OPERATOR: "the operator asked for it: the node is {mode}",
    Code.PILOT_COMMAND: "the operator asked to {wish} it",
    Code.GRACE_OVER: "it did not end within its grace after SIGTERM, which was sent because {why}",
    Code.PRESSURE: "the CPU is overcommitted by {excess:.1f} cores since {since_s}: "
    "the foreground uses {foreground:.1f} of {ncpus}, {committed:g} are promised to pilots",
    Code.STARVED: "pilots hardly get on since {since_s}: {gets:.1f} cores are left to them, and "
    "{committed:g} promised",
    Code.FROZEN_LONG: "it was frozen for {frozen_s}, because {why}",
    Code.THAW: "{room:.1f} cores are free again",
    Code.ADOPTED_FROZEN: "it was found frozen",
    Code.LOW_MEMORY: "{available} of memory are available, less than {limit}, since {since_s}",
    Code.LOW_DISK: "{free} are free on Docker's disk, less than {limit}",
    Code.FULL_DISK: "{free} are free on Docker's disk, less than {limit}, since {since_s}; "
    "{who} wrote most of all pilots: {written}",
    Code.STALLED: "tasks waited for {resource} in {percent:.0f} % of the last 10 s, more than "
    "{limit:g} %, since {since_s}",
    Code.HIGH_LOAD: "the load is {load:.1f}, more than {limit:g}",
    Code.USER: "a user is {presence}",
    Code.BATTERY: "the machine runs on its battery",
    Code.CALENDAR: "the machine is lent again from {until}",
    Code.OBJECTIVE: "{objective} is {value}, over its limit of {limit} for {since_s}",
    Code.OBJECTIVE_UNKNOWN: "{objective} is not known, so pilots run as without this objective: "
    "{why}",
    Code.RECOVERING: "over, but it must stay so for {left_s} more: {why}",
    Code.OVER_DISK: "it wrote {written} to disk, more than its {limit}",
    Code.SHRINK: "{running} pilots run and the maximum is {maximum}",
    Code.ROOM: "{room:.1f} cores are free and a pilot takes {cpus:g}",
    Code.PROBE: "one pilot of {profile} tries again ({kind}, {failures} in a row)",
    Code.CANARY: "it tries the new image {image}",
    Code.SPARE_WANTED: "the next pilot of {profile} is to begin at once",
    Code.SPARE_UNWANTED: "{why}",
    Code.PROFILE_FULL: "the maximum of {maximum} pilots of {profile} is reached",
    Code.NO_MEMORY: "no memory for {profile}: {room} of {memory} free beside what is promised "
    "to pilots and {kept} that are kept free",
    Code.NO_MEMORY_TO_THAW: "{pilot} stays frozen: it needs {swapped} back from swap, and only "
    "{memory} of memory are free for it",
    Code.NO_MEMORY_LIMIT: "nothing would bound the memory of pilots: this kernel enforces no "
    "limit, and protect.memory.evict_below is off",
    Code.WHEN: "spawn.when is not true: {when}",
    Code.FROZEN_FIRST: "{frozen} frozen pilots go on first",
    Code.KEPT_FREE: "{room:.1f} cores are kept free for {profile}, which is owed {owed:.0f} % of "
    "its share and takes {cpus:g}; {left_s} more",
    Code.IMAGE_PINNED: "{image} stays with {good}: the new {bad} failed ({why})",
    Code.FULL: "the maximum of {maximum} pilots is reached",
    Code.NO_ROOM: "no room for {profile}: {room:.2f} of {cpus:g} cores free, "
    "{foreground:.2f} used by the foreground, {committed:g} promised to pilots{overcommit}",
    Code.WARMING_UP: "the foreground is being measured",
    Code.HOLD: "nothing is started for {left_s} more after an eviction",
    Code.BACKOFF: "{profile} waits for {left_s} more ({kind}, {failures} in a row): {why}",
    Code.PROBING: "{profile} waits whether its one pilot lives ({kind}, {failures} in a row)",
    Code.NO_IMAGE: "no image {image} on the node: {why}",
    Code.MODE: "the node is {mode}",
    Code.CONFIG_DRAIN: "the configuration asks to drain (node.drain)",
    Code.PER_TICK: "{per_tick} pilots are started at a time, the rest follows",
    Code.SLOW_START: "no other {profile} is started: the start of {pilot} takes {since_s} so far",
    Code.NEXT_KILL: "{who} is killed unless it ends before",
    Code.NEXT_TTL: "the TTL of {who} is over",
    Code.NEXT_TRY: "{who} is tried again",
    Code.NEXT_STEP: "{who}: pilots are to {what}, if it lasts",
    Code.NEXT_RECOVERED: "{who} counts as over, if it stays so",
    Code.NEXT_EVICTION: "{who} is ended, if it is still frozen",
    Code.NEXT_START: "pilots are started again after the eviction",
    Code.NEXT_FREEZE: "pilots are frozen, if the CPU stays overcommitted",
    Code.NEXT_END: "a pilot is ended, if the CPU stays overcommitted",
    Code.NEXT_THAW: "frozen pilots go on, if there stays room",
    Code.PRESSURE_BUILDING: "{step} at {after_s}: {why}",
    Code.ENDING: "{pilot} was sent SIGTERM and has {left_s} left, because {why}",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and the numbers behind it; ``str()`` renders the sentence.

    Values whose name ends in ``_s`` are seconds, and are written with a unit.
    """

    code: Code
    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, code: Code, **values: Value) -> Reason:
        """Build a reason from a code and its numbers."""
        return cls(code, values)

    def __str__(self) -> str:
        shown = {
            key: format_duration(value)
            if key.endswith("_s") and not isinstance(value, str)
            else value
            for key, value in self.values.items()
        }
        return _SENTENCES[self.code].format_map(shown)
