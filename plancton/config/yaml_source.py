"""YAML text to plain values, remembering where each stands. Hostile text gets one clear word."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_LARGEST = 1_000_000
_MOST_NODES = 20_000
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST_NUMBER = 2.0**63
_SEXAGESIMAL_FREE = {
    "tag:yaml.org,2002:int": re.compile(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$"
    ),
    "tag:yaml.org,2002:float": re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?"
        r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
"""PyYAML's own patterns, without the part that reads digits between colons."""
KeyPath = tuple[str | int, ...]


class _Loader(_Base):  # type: ignore[misc]  # which of the two it is depends on the machine
    """Reads numbers as YAML 1.2 does: ``12:30`` and ``1000:50`` are text, not of base 60."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the library declares it)
        first: [(tag, _SEXAGESIMAL_FREE.get(tag, regexp)) for tag, regexp in resolvers]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file."""

    text: str
    line: int | None = None
    key: str = ""

    def at(self, file: str) -> str:
        """Return ``file:line: key: what is wrong``."""
        where = f"{file}:{self.line}" if self.line else file
        return f"{where}: {self.key}: {self.text}" if self.key else f"{where}: {self.text}"


class ConfigError(Exception):
    """A configuration that cannot be used, with all that is wrong with it."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        """Keep every problem; the text has one a line."""
        self.file, self.problems = file, tuple(problems)
        super().__init__("\n".join(problem.at(file) for problem in problems))

    @property
    def summary(self) -> str:
        """The first problem, and how many more there are."""
        more = len(self.problems) - 1
        rest = f" (and {more} more: plancton config check)" if more else ""
        return self.problems[0].at(self.file) + rest


@dataclass(slots=True)
class Source:
    """A parsed file: its plain values and the line of each key."""

    file: str
    values: dict[Any, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def line(self, place: KeyPath) -> int | None:
        """Return the line of a key, or of the nearest enclosing one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def read(path: Path) -> str:
    """Return a file's text; ConfigError if it cannot be read, FileNotFoundError if it is absent."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(str(path), [Problem(f"cannot be read: {error.strerror}")]) from None
    if len(raw) > _LARGEST:
        raise ConfigError(str(path), [Problem(f"is larger than {_LARGEST} bytes")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(str(path), [Problem("is not UTF-8 text", line)]) from None


def parse(text: str, file: str) -> Source:
    """Parse YAML; ConfigError for what is no mapping, has a key twice, tags or too many values."""
    try:
        _refuse_bombs(text, file)
        root = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else None
        raise ConfigError(file, [Problem(f"is not valid YAML: {words}", line)]) from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        words = " ".join(str(error).split())[:200] or "nested too deeply"
        raise ConfigError(file, [Problem(f"is not valid YAML: {words}")]) from None
    if values is None:
        return Source(file)
    if not isinstance(values, dict) or not isinstance(root, yaml.MappingNode):
        raise ConfigError(file, [Problem("must hold keys and values, like 'node:'", 1)])
    source, problems = Source(file, values), []
    for place, line, twice in _places(root, ()):
        if twice:
            problems.append(Problem("is given twice", line, dotted(place)))
        source.lines[place] = line
    for place in _beyond_all_numbers(values, ()):
        text = f"must be a number of at most {_LARGEST_NUMBER:g}"
        problems.append(Problem(text, source.line(place), dotted(place)))
    if problems:
        raise ConfigError(file, problems)
    return source


def _refuse_bombs(text: str, file: str) -> None:
    """Count values before any is built: an alias (*name) can make a small file huge."""
    sizes: dict[str, int] = {}  # values below each anchor, those of its aliases included
    open_nodes: list[tuple[str | None, int]] = []
    count = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = count - before + 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                name = event.anchor
                raise ConfigError(file, [Problem(f"*{name} stands before or inside &{name}", line)])
            count += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent) and event.anchor:
            sizes[event.anchor] = 1
        count += 1
        if count > _MOST_NODES:
            raise ConfigError(file, [Problem("holds too many values", line)])


def _places(node: yaml.Node, place: KeyPath) -> Iterator[tuple[KeyPath, int, bool]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*place, str(key.value))
            yield here, _line(key), str(key.value) in seen
            seen.add(str(key.value))
            yield from _places(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, index), _line(value), False
            yield from _places(value, (*place, index))


def _beyond_all_numbers(value: Any, place: KeyPath) -> Iterator[KeyPath]:
    """Yield the places of numbers that no key can mean: huge, infinite, or none at all."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _beyond_all_numbers(inner, (*place, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _beyond_all_numbers(inner, (*place, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        bounded = -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER
        if not bounded or (isinstance(value, float) and not math.isfinite(value)):
            yield place


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 0


def dotted(place: KeyPath) -> str:
    """Return ``pilots[0].image`` for ``("pilots", 0, "image")``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
