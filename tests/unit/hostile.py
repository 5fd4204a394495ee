"""Texts as a hostile pilot, image, registry or remote file may have them, put everywhere."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

T = TypeVar("T")
HOSTILE = (
    "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b2J\x9d0;t\x9c\x08\x0d\x00\x7f"
    "\u202egnitirw\u2066\u200f [red]x[/] [@click=app.quit]y[/] :bomb: [/none]"
)
STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def hostile(value: T) -> T:
    """Return a record with a hostile end of each text in it, at any depth."""
    return cast("T", _hostile(value))


def _hostile(value: Any) -> Any:
    if type(value) is str:
        return value + HOSTILE
    if type(value) is tuple:
        return tuple(map(_hostile, value))
    if isinstance(value, dict):
        return {_hostile(key): _hostile(each) for key, each in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    known = {each.name: getattr(value, each.name) for each in fields(value)}
    return replace(value, **{name: _hostile(each) for name, each in known.items()})
