"""What is wrong with a file, in words: the key, the value, the nearest valid key."""

from __future__ import annotations

import difflib
import types
import typing
from typing import Any

from pydantic import BaseModel

from plancton.config.schema import Config
from plancton.config.yaml_source import KeyPath, Problem, Source, dotted

_LONGEST_SHOWN = 80
_SECRET = ("env", "influxdb", "elasticsearch", "slo")


def problem_of(error: Any, source: Source) -> Problem:
    """Return what pydantic's *error* means in the file."""
    place: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    return Problem(message_of(error, place), source.line(place), dotted(place))


def message_of(error: Any, place: KeyPath = ()) -> str:
    """Return what is wrong in words, with the value unless that may be a secret."""
    if error["type"] == "extra_forbidden":
        return "no such key" + (_nearest(place) if place else "")
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "tuple_type":
        message = "must be a list"
    value = error.get("input")
    secret = set(_SECRET) & set(map(str, error["loc"]))
    if isinstance(value, str | int | float) and not secret:
        shown = repr(value)
        if len(shown) <= _LONGEST_SHOWN and not message.startswith(shown):
            message += f", not {shown}"
    return message


def _nearest(place: KeyPath) -> str:
    fields = _fields_at(place[:-1])
    close = difflib.get_close_matches(str(place[-1]), fields, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known here are {', '.join(fields)}" if fields else ""


def _fields_at(place: KeyPath) -> list[str]:
    model: type[BaseModel] | None = Config
    for part in place:
        if isinstance(part, int) or model is None:
            continue
        model = (
            _model_of(model.model_fields[part].annotation) if part in model.model_fields else None
        )
    return list(model.model_fields) if model else []


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((m for a in typing.get_args(annotation) if (m := _model_of(a))), None)
