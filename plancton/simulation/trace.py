"""What a node's owner does over time: read, written, and made up.

A trace is CSV with a comment line of facts about the node before it:
``# plancton-trace 1 ncpus=8 memory=16000000000 start=1699833600``. *start* is the node's local
time, as seconds of the epoch. Each row holds until the next one.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TextIO

_MAGIC = "# plancton-trace 1"
_MONDAY = 1_699_833_600.0


class TraceError(Exception):
    """The file is no trace. Says file, line and what is wrong."""


@dataclass(frozen=True, slots=True)
class TracePoint:
    """The owner's use of the node from ``at`` on."""

    at: float
    """Seconds since the start."""
    foreground: float
    """Cores wanted."""
    memory: float = 0.0
    """Bytes used."""
    disk_free: float = 1e11
    users: int = 0
    user_idle: float = -1.0
    """Seconds since the last key stroke; negative: unknown."""
    on_battery: int = 0
    stall_memory: float = 0.0
    stall_io: float = 0.0
    """Per cent."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Figures of the owner's objectives, by name, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A node and its points in order of time; the last one only ends it."""

    name: str
    ncpus: int
    memory: float
    points: tuple[TracePoint, ...]
    start: float = _MONDAY

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.points[-1].at

    @property
    def figures(self) -> frozenset[str]:
        """Names of the figures that it tells anywhere."""
        return frozenset(name for point in self.points for name in point.figures)


_COLUMNS = tuple(each.name for each in fields(TracePoint) if each.name != "figures")
_FIGURE = "slo "
"""What the columns of figures begin with."""


def trace_header(ncpus: int, memory: float, start: float, figures: Iterable[str] = ()) -> str:
    """Return the two first lines of a trace file, which has columns for these *figures*."""
    names = ",".join((*_COLUMNS, *(f"{_FIGURE}{name}" for name in figures)))
    return f"{_MAGIC} ncpus={ncpus} memory={memory:.0f} start={start:.0f}\n{names}\n"


def trace_row(point: TracePoint, figures: Iterable[str] = ()) -> str:
    """Return one line of a trace file; what is not known is empty."""
    values = [getattr(point, name) for name in _COLUMNS]
    values += [point.figures.get(name) for name in figures]
    return ",".join("" if value is None else f"{value:.6g}" for value in values) + "\n"


def read_trace(path: Path) -> Trace:
    """Read a trace file; TraceError if it is none, OSError if it cannot be read."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return _parse(path, file)


def _parse(path: Path, file: TextIO) -> Trace:
    first = file.readline()
    if not first.startswith(_MAGIC):
        raise TraceError(f"{path}:1: not a trace; its first line begins with {_MAGIC!r}")
    try:
        facts = dict(word.split("=", 1) for word in first[len(_MAGIC) :].split())
        ncpus, memory = int(facts["ncpus"]), float(facts["memory"])
        start = float(facts.get("start", _MONDAY))
    except (KeyError, ValueError):
        raise TraceError(f"{path}:1: ncpus= and memory= are wanted as numbers") from None
    try:
        points = tuple(_points(path, file))
    except csv.Error as error:
        raise TraceError(f"{path}: not a table: {error}") from None
    if len(points) < 2 or ncpus < 1:
        raise TraceError(f"{path}: a trace has at least two rows and one core")
    return Trace(path.stem, ncpus, memory, points, start)


def _points(path: Path, file: TextIO) -> Iterable[TracePoint]:
    last = -math.inf
    for number, values in enumerate(csv.DictReader(file), start=3):
        try:
            point = _point(values)
        except (TypeError, ValueError, KeyError):
            raise TraceError(f"{path}:{number}: a number in each column is wanted") from None
        if not math.isfinite(point.foreground + point.at) or point.at <= last:
            raise TraceError(f"{path}:{number}: the times of rows must rise")
        last = point.at
        yield point


def _point(values: Mapping[str, str]) -> TracePoint:
    known = {name: float(values[name]) for name in ("at", "foreground")}
    others = ("memory", "disk_free", "user_idle", "stall_memory", "stall_io")
    known |= {name: float(values[name]) for name in others if values.get(name)}
    whole = {n: int(float(values[n])) for n in ("users", "on_battery") if values.get(n)}
    return TracePoint(**known, **whole, figures=_figures(values))  # type: ignore[arg-type]


def _figures(values: Mapping[str, str]) -> dict[str, float]:
    columns = [name for name in values if name and name.startswith(_FIGURE) and values[name]]
    found = {name.removeprefix(_FIGURE): float(values[name]) for name in columns}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _office(hour: float, ncpus: int, minute: int) -> float:
    """Return a working day: calm nights, bursts of all cores from nine to five, a lunch break."""
    if not 9 <= hour < 17 or 12 <= hour < 13:
        return 0.05
    return float(ncpus) if minute % 20 < 3 else 0.3 * ncpus * (1 + math.sin(minute / 7))


def _day(ncpus: int) -> Iterable[TracePoint]:
    for minute in range(24 * 60 + 1):
        yield TracePoint(60.0 * minute, _office(minute / 60, ncpus, minute))


def _bursts(ncpus: int) -> Iterable[TracePoint]:
    for i in range(61):
        yield TracePoint(60.0 * i, 0.05)
        yield TracePoint(60.0 * i + 20, float(ncpus))
        yield TracePoint(60.0 * i + 32, 0.05)


def _ramp(ncpus: int) -> Iterable[TracePoint]:
    steps = 40
    for i in range(2 * steps + 1):
        yield TracePoint(90.0 * i, ncpus * (1 - abs(i - steps) / steps))


def _memory(ncpus: int) -> Iterable[TracePoint]:
    for minute in range(121):
        share = 0.3 + 0.67 * max(0.0, math.sin(math.pi * minute / 60))
        yield TracePoint(60.0 * minute, 0.2, memory=share * 4e9 * ncpus)


def _constant(level: float) -> Callable[[int], Iterable[TracePoint]]:
    return lambda ncpus: (TracePoint(60.0 * i, level * ncpus) for i in range(121))


SYNTHETIC: Mapping[str, tuple[str, Callable[[int], Iterable[TracePoint]]]] = {
    "day": ("a working day of an office machine", _day),
    "bursts": ("twelve seconds of all cores every minute, for an hour", _bursts),
    "ramp": ("slowly up to all cores and down again, two hours", _ramp),
    "memory": ("memory that fills up and empties, two hours", _memory),
    "idle": ("two hours of nothing", _constant(0.0)),
    "full": ("two hours of all cores", _constant(1.0)),
}
"""Made-up traces: what each is, and how it is made for a number of cores."""


def synthetic_trace(name: str, ncpus: int) -> Trace:
    """Return a made-up trace; TraceError names those there are."""
    if name not in SYNTHETIC:
        raise TraceError(f"no synthetic trace {name!r}; there are {', '.join(SYNTHETIC)}")
    return Trace(name, ncpus, 4e9 * ncpus, tuple(SYNTHETIC[name][1](ncpus)))
