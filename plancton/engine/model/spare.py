"""A spare: the container of a pilot to come, held before its command. Times are seconds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plancton.config.schema import Profile


DEADLINE = "PLANCTON_DEADLINE"
"""The variable that a pilot's start sets."""


@dataclass(frozen=True, slots=True)
class Spare:
    """One container that waits for its pilot's start."""

    id: str
    name: str
    """What its pilot will be called."""
    profile: str
    spec: str
    """``spec_hash`` of the profile that it was made for."""
    image_id: str
    ready: bool = True
    """Whether it waits; otherwise it ended, or never came to wait."""
    outdated: str = ""
    """Why no pilot may start in it any more, whatever the profile; empty: one may."""

    @property
    def label(self) -> str:
        """What people call it."""
        return f"spare of {self.profile}"


@dataclass(frozen=True, slots=True)
class SpareFailure:
    """A profile of which no spare could be had: how often in a row, and when it is tried again."""

    failures: int
    retry_at: float


def spec_hash(profile: Profile) -> str:
    """Return 12 hexadecimal digits that change whenever a setting of the profile does."""
    return hashlib.sha256(profile.model_dump_json().encode()).hexdigest()[:12]


def may_have_spare(profile: Profile) -> bool:
    """Say whether a pilot loses nothing by having its container started before it is needed.

    What is bound may be mounted anew meanwhile, and is checked at each start; a device may
    vanish; and the shell that holds it drops variables that are no names to it, and sets one.
    """
    named = all(name.isidentifier() and name != DEADLINE for name in profile.env)
    return named and not profile.binds and not profile.devices
