"""From the configuration and the node's figures to the numbers the engine works with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from plancton.config.expressions import Expression, ExpressionError
from plancton.config.schema import Config

_MOST_PILOTS = 1_000_000


@dataclass(frozen=True, slots=True)
class ExpressionValues:
    """Every expression of a configuration, evaluated."""

    maximum: int
    maxima: Mapping[str, int]
    """By profile, where it has a maximum of its own."""
    when: bool
    load_limit: float | None


def evaluate(config: Config, node: Mapping[str, float]) -> ExpressionValues:
    """Evaluate all expressions. *node* gives the names but for those of the first profile.

    ExpressionError, with the key, if one has no value here.
    """
    names = names_for(config, node)
    spawn, limit = config.spawn, config.protect.load.stop_above
    return ExpressionValues(
        maximum=_count("spawn.maximum", spawn.maximum, names),
        maxima={
            profile.name: _count(f"maximum of {profile.name}", profile.maximum, names)
            for profile in config.pilots
            if profile.maximum is not None
        },
        when=bool(_value("spawn.when", spawn.when, names)),
        load_limit=None if limit is None else _value("protect.load.stop_above", limit, names),
    )


def names_for(config: Config, node: Mapping[str, float]) -> dict[str, float]:
    """Return every name that expressions may use, with its value."""
    first = config.pilots[0]
    return {**node, "max_dock_mem": first.memory, "max_dock_swap": first.swap}


def _count(key: str, expression: Expression, names: Mapping[str, float]) -> int:
    return min(_MOST_PILOTS, max(0, math.floor(_value(key, expression, names))))


def _value(key: str, expression: Expression, names: Mapping[str, float]) -> float:
    try:
        return expression.evaluate(names)
    except ExpressionError as error:
        raise ExpressionError(f"{key}: {error}") from None
