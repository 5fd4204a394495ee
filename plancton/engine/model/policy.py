"""What the configuration asks for on this node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plancton.config import schema
from plancton.config.evaluate import ExpressionValues


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration asks for, with the maximum evaluated on this node."""

    profiles: tuple[schema.Profile, ...]
    spawn: schema.Spawn
    protect: schema.Protect
    maximum: int
    when: bool = True
    """Whether spawn.when holds."""
    when_text: str = ""
    maxima: Mapping[str, int] = field(default_factory=dict)
    """Most pilots of a profile, where it has a maximum of its own."""
    load_limit: float | None = None
    """Load average above which nothing is started."""
    drain: bool = False
    """Start nothing, whatever the operator says."""
    canary: bool = False
    canary_life: float = 600.0
    starts_at_once: int | None = None
    """Most pilots starting at a time, whatever else bounds them: for previews."""

    @classmethod
    def of(cls, config: schema.Config, values: ExpressionValues) -> Policy:
        """Return what a configuration asks for, with its expressions evaluated."""
        return cls(
            config.pilots,
            config.spawn,
            config.protect,
            values.maximum,
            when=values.when,
            when_text=config.spawn.when.text,
            maxima=values.maxima,
            load_limit=values.load_limit,
            drain=config.node.drain,
            canary=config.image.canary,
            canary_life=config.image.canary_life,
        )


def freeze_after(protect: schema.Protect, *, unprotected: bool) -> float:
    """Seconds of overcommitment after which pilots are frozen."""
    return protect.freeze_after_unprotected if unprotected else protect.freeze_after


def evict_after(protect: schema.Protect, *, unprotected: bool) -> float:
    """Seconds of overcommitment after which a pilot that cannot be frozen is evicted."""
    first = freeze_after(protect, unprotected=unprotected) if protect.freeze else 0.0
    return first + protect.evict_after
