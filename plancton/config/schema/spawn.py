"""The group ``spawn``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
)

from plancton.config.expressions import Expression
from plancton.config.schema.types import Duration, Group, off_if_false


class Spawn(Group):
    """When new pilots are started."""

    maximum: Expression = Expression("3 * ncpus")
    """Most pilots at a time: a number or an expression, see the list of names."""
    when: Expression = Expression(1)
    """Pilots are started only while this is not 0, for example foreground_5m < ncpus / 2."""
    per_tick: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = "auto"
    """Most pilots started in one tick, those included that are still starting; never more than 16
    start at a time. auto: one for eight cores, four at least."""
    ceiling: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the node's cores that foreground and pilots may take together."""
    reserve: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Cores always kept free."""
    min_room: Annotated[float, Field(ge=0.3, le=1)] = 0.5
    """Part of a pilot's cores that must be free before it is started. Below 1 the last,
    partly free core is harvested too: the idle class protects the foreground meanwhile."""
    overcommit: Annotated[
        Literal["auto", "off"] | Annotated[float, Field(ge=1, le=10)],
        BeforeValidator(off_if_false),
    ] = "auto"
    """In the idle class: how many times the free cores are promised to pilots, which seldom use all
    of theirs. auto: more while pilots leave cores idle, fewer when they no longer do; off: once."""
    overcommit_limit: Annotated[float, Field(ge=1, le=10)] = 3.0
    """Most that auto promises."""
    memory_promise: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Part of a pilot's memory limit that must be there before it is started, and is then set
    aside for it. 0: limits are not counted, only what is really free."""
    short_life: Annotated[Duration, Field(ge=0)] = 5.0
    """A pilot that ends by itself sooner than this has failed, and its profile backs off."""
    backoff: Annotated[Duration, Field(gt=0)] = 5.0
    """First wait after a failure; it doubles with each further one."""
    backoff_max: Annotated[Duration, Field(gt=0)] = 900.0
    """Longest such wait."""
    no_work_wait: Annotated[Duration, Field(gt=0)] = 60.0
    """First wait after a pilot said that there is no work; it doubles up to backoff_max. One
    pilot then tries, and others follow when it has lived as long."""
    spare: bool = False
    """For short pilots: keep one more container of each profile started, and held before its
    command, so that the next pilot begins at once. It needs /bin/sh in the image."""
    broken_wait: Annotated[Duration, Field(gt=0)] = 3600.0
    """Wait after a pilot said that this node cannot do its work."""
