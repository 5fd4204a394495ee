"""Durations and sizes in a few characters, for narrow columns. Pure."""

from __future__ import annotations


def short_duration(seconds: float) -> str:
    """Write a duration in at most five characters: 59s, 59m, 23h5m becomes 23h, 9d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            finer = {"d": (3600, "h"), "h": (60, "m"), "m": (1, "s")}[unit]
            part = f"{rest // finer[0]}{finer[1]}"
            return f"{whole}{unit}{part}" if whole < 10 and rest >= finer[0] else f"{whole}{unit}"
    return f"{int(seconds)}s"


def short_size(size: float) -> str:
    """Write a size in at most six characters: 999kB, 1.2GB."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= factor:
            return f"{size / factor:.{int(size < 10 * factor)}f}{unit}"
    return f"{size / 1e3:.0f}kB"
