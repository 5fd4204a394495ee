"""Kinds of values that the groups are made of: durations, sizes, levels, labels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from plancton.config.units import (
    parse_duration,
    parse_level,
    parse_rate,
    parse_share,
    parse_size,
)

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["number", "string"], "examples": ["90s", "12h", "1d"]}),
]


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": ["integer", "string"], "examples": ["512MiB", "2GB"]}),
]


Level = Annotated[
    str,
    BeforeValidator(parse_level),
    WithJsonSchema({"type": ["integer", "string"], "examples": ["5%", "2GB", "off"]}),
]


Share = Annotated[
    str,
    BeforeValidator(parse_share),
    WithJsonSchema({"type": "string", "examples": ["5%", "off"]}),
]


def zero_if_off(value: Any) -> Any:
    """Take ``off``, which YAML reads as false, for 0."""
    return 0 if value is False or value == "off" else value


def none_if_off(value: Any) -> Any:
    """Take ``off``, which YAML reads as false, for nothing."""
    return None if value is False or value == "off" else value


def off_if_false(value: Any) -> Any:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


Step = Annotated[Literal["off", "stop", "freeze", "evict"], BeforeValidator(off_if_false)]


Percent = Annotated[
    Annotated[float, Field(gt=0, le=100)] | None,
    BeforeValidator(none_if_off),
    WithJsonSchema({"type": ["number", "string"], "examples": [20, "off"]}),
]


def _rate(value: Any) -> Any:
    value = none_if_off(value)
    return value if value is None else parse_rate(value)


Rate = Annotated[
    int | None,
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "examples": ["50Mbit", "1Gbit", "off"]}),
]
"""Bits per second; None is off."""


def _labels(value: Any) -> Any:
    """Take a list of names, or names with values of any plain kind."""
    if isinstance(value, list):
        return dict.fromkeys(map(str, value), "")
    if isinstance(value, dict):
        return {name: plain_text(each) for name, each in value.items()}
    return value


def plain_text(value: Any) -> Any:
    """Return a number or a truth value as its text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Labels = Annotated[
    dict[str, str],
    BeforeValidator(_labels),
    WithJsonSchema(
        {
            "type": ["array", "object"],
            "items": {"type": "string"},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "examples": [["gpu"], {"rack": "r12"}],
        }
    ),
]


class Group(BaseModel):
    """A group of keys: frozen, with no key that is not declared."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # verbs that only look need no validator
    )
