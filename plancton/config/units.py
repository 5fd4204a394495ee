"""Durations, sizes and rates with units, read and written."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_SECONDS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "b": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("", 1000), ("b", 1000), ("i", 1024), ("ib", 1024))
}

_RATES = {"bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}

LONGEST = 100 * 365 * 86400.0
"""Longest duration, seconds: a hundred years."""
LARGEST = 2**60
"""Largest size, bytes: 1 EiB."""
LEAST_RATE, LARGEST_RATE = 100_000, 30_000_000_000
"""Rates that can be held to, bits per second."""
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5]?[0-9])")


def parse_duration(value: object) -> float:
    """Turn ``90``, ``"90s"``, ``"1h30m"`` or ``"12h"`` into seconds; ValueError if it is none."""
    if isinstance(value, str):
        _refuse_clock(value)
        matches = list(_NUMBER.finditer(value))
        if not matches or "".join(match[0] for match in matches) != value:
            raise ValueError(
                f"{_short(value)} is not a duration; write for example 90s, 5m, 12h or 1d"
            )
        seconds = sum(float(match[1]) * _unit(match[2], _SECONDS, "duration") for match in matches)
    else:
        seconds = _plain_number(value, "duration; write for example 90s, 5m, 12h or 1d")
    if not -LONGEST <= seconds <= LONGEST:
        raise ValueError(f"{_short(value)} is longer than 36500d, the longest duration")
    return seconds


def _refuse_clock(value: str) -> None:
    """Refuse ``12:30``, which YAML 1.1 reads as 750 and people in two ways."""
    found = _CLOCK.fullmatch(value)
    if found:
        first, second = found.groups()
        raise ValueError(
            f"{value!r} is ambiguous; write {first}h{second}m for hours and minutes, "
            f"or {first}m{second}s for minutes and seconds"
        )


def parse_size(value: object) -> int:
    """Turn ``2000000000``, ``"2GB"`` or ``"512MiB"`` into bytes; ValueError if it is none."""
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        if not match:
            raise ValueError(f"{_short(value)} is not a size; write for example 512MiB or 2GB")
        size = float(match[1]) * _unit(match[2].lower(), _BYTES, "size")
    else:
        size = _plain_number(value, "size; write for example 512MiB or 2GB")
    if not -LARGEST <= size <= LARGEST:
        raise ValueError(f"{_short(value)} is larger than 1048576TiB, the largest size")
    return int(size)


def parse_rate(value: object) -> int:
    """Turn ``"50Mbit"`` or ``"1.5Gbit/s"`` into bits per second; ValueError if it is none.

    A unit is required: rates are told in bits by some and in bytes by others.
    """
    text = value.strip().removesuffix("/s") if isinstance(value, str) else ""
    match = _NUMBER.fullmatch(text)
    if not match or not match[2]:
        raise ValueError(f"{_short(value)} is not a rate; write for example 50Mbit or 1Gbit")
    rate = float(match[1]) * _unit(match[2].lower(), _RATES, "rate")
    if not LEAST_RATE <= rate <= LARGEST_RATE:
        raise ValueError(f"{_short(value)} is not between 100kbit and 30Gbit")
    return int(rate)


def parse_level(value: object) -> str:
    """Check a level: ``"5%"`` of all, a size, or ``"off"``; returns its text."""
    text = "off" if value is False else str(value).strip()
    if text == "off":
        return text
    if text.endswith("%"):
        try:
            share = float(text[:-1])
        except ValueError:
            share = -1.0
        if not 0 <= share <= 100:
            raise ValueError(f"{value!r} is not a share; write for example 5%")
        return text
    parse_size(value)
    return text


def parse_share(value: object) -> str:
    """Check a share of all: ``"5%"`` or ``"off"``; returns its text."""
    text = parse_level(value)
    if text != "off" and not text.endswith("%"):
        raise ValueError(f"{value!r} is not a share; write for example 5%")
    return text


def level_of(text: str, total: float) -> float | None:
    """Return a level in bytes, where *total* is 100 %; None if it is off."""
    if text == "off":
        return None
    return total * float(text[:-1]) / 100 if text.endswith("%") else float(parse_size(text))


def _unit(name: str, units: dict[str, float] | dict[str, int], what: str) -> float:
    if name not in units:
        known = ", ".join(unit for unit in units if unit)
        raise ValueError(f"{name!r} is not a unit of {what}; known are {known}")
    return units[name]


def _plain_number(value: object, what: str) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if number is None or (isinstance(number, float) and math.isnan(number)):
        raise ValueError(f"{_short(value)} is not a {what}")
    return float(number) if abs(number) <= LARGEST else math.inf if number > 0 else -math.inf


def _short(value: object) -> str:
    """Write a value that may be very long."""
    text = "that number" if isinstance(value, int) and abs(value) > 10**20 else repr(value)
    return text if len(text) <= 60 else f"{text[:40]}..."


def format_duration(seconds: float) -> str:
    """Write seconds as people say them: ``0.4 s``, ``41 s``, ``5 min``, ``12 h``, ``2.5 h``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{round(seconds, 1):g} s"


def format_wait(share: float) -> str:
    """Write a share of time that was waited, by the second: ``2.1 ms``, ``340 ms``."""
    return f"{1000 * share:.1f} ms" if share < 0.01 else f"{1000 * share:.0f} ms"


def format_rate(rate: float) -> str:
    """Write bits per second with a unit: ``50 Mbit/s``, ``1.5 Gbit/s``."""
    for power, unit in ((9, "Gbit/s"), (6, "Mbit/s")):
        if rate >= 10**power:
            return f"{round(rate / 10**power, 1):g} {unit}"
    return f"{round(rate / 1e3, 1):g} kbit/s"


def format_size(size: float) -> str:
    """Write bytes with a decimal unit: ``2 GB``, ``1.5 MB``."""
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if size >= 10**power:
            return f"{round(size / 10**power, 1):g} {unit}"
    return f"{size:g} B"
