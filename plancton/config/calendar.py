"""Times of the week at which a machine is lent."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY = 24 * 60
WEEK = 7 * DAY
_TIMES = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


class Lending:
    """Spans of minutes of the week, Monday 0:00 being 0; none at all means always."""

    def __init__(self, texts: tuple[str, ...] = ()) -> None:
        """Parse texts such as ``Mon-Fri 18:00-08:00``; ValueError says what is wrong."""
        self.texts = texts
        self.spans = [span for text in texts for span in _spans(text)]

    def __contains__(self, minute: int) -> bool:
        """Say whether the machine is lent at this minute of the week."""
        return not self.spans or any((minute - start) % WEEK < long for start, long in self.spans)

    def until(self, minute: int) -> int | None:
        """Return the minute of the week at which that changes next; None: never."""
        now = minute in self
        changes = {edge % WEEK for start, long in self.spans for edge in (start, start + long)}
        flips = [edge for edge in changes if (edge in self) is not now]
        return min(flips, key=lambda edge: (edge - minute) % WEEK, default=None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lending) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return f"Lending({list(self.texts)})"

    def __str__(self) -> str:
        return ", ".join(self.texts) or "always"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda x: list(x.texts)),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        example = ["Mon-Fri 18:00-08:00", "Sat,Sun"]
        return {"type": ["array", "string"], "items": {"type": "string"}, "examples": [example]}

    @classmethod
    def _validate(cls, value: object) -> Lending:
        if isinstance(value, Lending):
            return value
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
            raise ValueError("a list of times is wanted, such as Mon-Fri 18:00-08:00")
        return cls(tuple(texts))


def name_of(minute: int) -> str:
    """Write a minute of the week: ``Fri 18:00``."""
    return f"{DAYS[minute // DAY]} {minute % DAY // 60:02}:{minute % 60:02}"


def _spans(text: str) -> list[tuple[int, int]]:
    """Return (start, length) for each day that *text* names; a night belongs to its first day."""
    found = _TIMES.search(text)
    start, end = 0, DAY
    if found:
        start, end = (_minute(found[i], found[i + 1], text) for i in (1, 3))
        if end <= start:
            end += DAY
    elif re.search(r"\d", text):
        raise ValueError(f"{text!r} has no times; write for example Mon-Fri 18:00-08:00")
    named = _TIMES.sub("", text).strip()
    return [(day * DAY + start, end - start) for day in _days(named, text)]


def _minute(hour: str, minute: str, text: str) -> int:
    if int(hour) > 24 or int(minute) > 59 or int(hour) * 60 + int(minute) > DAY:
        raise ValueError(f"{hour}:{minute} in {text!r} is not a time of day")
    return int(hour) * 60 + int(minute)


def _days(named: str, text: str) -> list[int]:
    if not named:
        return list(range(7))
    days: list[int] = []
    for part in named.split(","):
        first, _, last = (each.strip()[:3].capitalize() for each in part.partition("-"))
        ends = [first, last or first]
        if not set(ends) <= set(DAYS):
            raise ValueError(f"{part.strip()!r} in {text!r} is no day; days are {', '.join(DAYS)}")
        begin, finish = (DAYS.index(each) for each in ends)
        days += [(begin + i) % 7 for i in range((finish - begin) % 7 + 1)]
    return days
