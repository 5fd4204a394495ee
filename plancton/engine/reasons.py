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
    TTL = "ttl"
    OPERATOR = "operator"
    GRACE_OVER = "grace-over"
    PRESSURE = "pressure"
    SHRINK = "shrink"
    # starts
    ROOM = "room"
    PROBE = "probe"
    # why nothing more is started
    FULL = "full"
    NO_ROOM = "no-room"
    WARMING_UP = "warming-up"
    HOLD = "hold"
    BACKOFF = "backoff"
    PROBING = "probing"
    NO_IMAGE = "no-image"
    MODE = "mode"
    PER_TICK = "per-tick"
    # what is building up
    PRESSURE_BUILDING = "pressure-building"
    ENDING = "ending"


_SENTENCES: Mapping[Code, str] = {
    Code.EXITED: "it exited with code {exit_code} after {lifetime_s}",
    Code.NEVER_STARTED: "it was created {age_s} ago and never started: {error}",
    Code.TTL: "its time to live is over since {over_s}",
    Code.OPERATOR: "the operator asked for it: the node is {mode}",
    Code.GRACE_OVER: "it did not end within its grace after SIGTERM, which was sent because {why}",
    Code.PRESSURE: "the CPU is overcommitted by {excess:.1f} cores since {since_s}: "
    "the foreground uses {foreground:.1f} of {ncpus}",
    Code.SHRINK: "{running} pilots run and the maximum is {maximum}",
    Code.ROOM: "{room:.1f} cores are free and a pilot takes {cpus:g}",
    Code.PROBE: "one pilot tries whether {profile} lives, after {failures} failures in a row",
    Code.FULL: "the maximum of {maximum} pilots is reached",
    Code.NO_ROOM: "no room for {profile}: {room:.2f} of {cpus:g} cores free, "
    "{foreground:.2f} used by the foreground, {committed:g} promised to pilots",
    Code.WARMING_UP: "the foreground is being measured",
    Code.HOLD: "nothing is started for {left_s} more after an eviction",
    Code.BACKOFF: "{profile} backs off for {left_s} more after {failures} failures in a row: {why}",
    Code.PROBING: "{profile} waits whether its one pilot lives, after {failures} failures in a row",
    Code.NO_IMAGE: "no image {image} on the node: {why}",
    Code.MODE: "the node is {mode}",
    Code.PER_TICK: "{per_tick} pilots were started in this tick, the rest follows in the next",
    Code.PRESSURE_BUILDING: "the CPU is overcommitted by {excess:.1f} cores since {since_s}; "
    "the youngest pilot is evicted at {after_s}",
    Code.ENDING: "{pilot} was sent SIGTERM and has {left_s} left, because {why}",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and the numbers behind it; ``str()`` renders the sentence.

    Values whose name ends in ``_s`` are seconds, and are written with a unit.
    """

    code: Code
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = {
            key: format_duration(value)
            if key.endswith("_s") and not isinstance(value, str)
            else value
            for key, value in self.values.items()
        }
        return _SENTENCES[self.code].format_map(shown)


def because(code: Code, **values: Value) -> Reason:
    """Build a reason from a code and its numbers."""
    return Reason(code, values)
