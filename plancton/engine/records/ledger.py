"""What the node's owner lent, and what it cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Account:
    """Sums over some time. Accounts add up with ``+``."""

    seconds: float = 0.0
    """Time observed."""
    harvested: float = 0.0
    """Core-seconds used by pilots."""
    missed: Mapping[str, float] = field(default_factory=dict)
    """Core-seconds that nobody used, by why pilots did not."""
    stalled: Mapping[str, float] = field(default_factory=dict)
    """Seconds in which some task waited for cpu, memory or io while pilots ran, by resource."""
    waited: float = 0.0
    """Seconds that tasks of the foreground waited for a core while pilots ran."""
    waited_alone: float = 0.0
    """The same while none ran: what they wait for each other."""
    foreground: float = 0.0
    """Core-seconds of the foreground while pilots ran and its waiting was known."""
    foreground_alone: float = 0.0
    """The same while none ran."""
    started: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)
    """Pilots that are gone, by why."""
    lived: float = 0.0
    """Seconds that the ended pilots lived, together."""
    frozen: int = 0
    """Times a pilot was frozen."""
    evicted: int = 0
    reaction: float = 0.0
    """Seconds from the begin of pressure to each freeze and eviction, together."""
    reaction_max: float = 0.0
    """The longest of them."""
    lost: float = 0.0
    """Core-seconds of evicted pilots since their start or last checkpoint."""
    reclaimed: int = 0
    """Bytes of frozen pilots that were moved to swap."""

    def __add__(self, other: Account) -> Account:
        """Return the sums of both."""
        return Account(
            seconds=self.seconds + other.seconds,
            harvested=self.harvested + other.harvested,
            missed=_sum(self.missed, other.missed),
            stalled=_sum(self.stalled, other.stalled),
            waited=self.waited + other.waited,
            waited_alone=self.waited_alone + other.waited_alone,
            foreground=self.foreground + other.foreground,
            foreground_alone=self.foreground_alone + other.foreground_alone,
            started=self.started + other.started,
            ended=_sum(self.ended, other.ended),
            lived=self.lived + other.lived,
            frozen=self.frozen + other.frozen,
            evicted=self.evicted + other.evicted,
            reaction=self.reaction + other.reaction,
            reaction_max=max(self.reaction_max, other.reaction_max),
            lost=self.lost + other.lost,
            reclaimed=self.reclaimed + other.reclaimed,
        )

    @property
    def lifetime(self) -> float | None:
        """Mean seconds that a pilot lived; None before the first has ended."""
        ended = sum(self.ended.values())
        return self.lived / ended if ended else None

    @property
    def waited_share(self) -> float | None:
        """Seconds waited per core-second of the foreground beside pilots; None: not known."""
        return self.waited / self.foreground if self.foreground > 0 else None

    @property
    def waited_share_alone(self) -> float | None:
        """The same without pilots."""
        return self.waited_alone / self.foreground_alone if self.foreground_alone > 0 else None

    @property
    def idle(self) -> float:
        """Core-seconds that the foreground left."""
        return self.harvested + sum(self.missed.values())

    @property
    def share(self) -> float | None:
        """Part of what the foreground left that was harvested; None if it left nothing."""
        return self.harvested / self.idle if self.idle > 0 else None


def _sum(a: Mapping[str, _Number], b: Mapping[str, _Number]) -> dict[str, _Number]:
    return {key: a[key] + b[key] if key in a and key in b else c for key, c in {**a, **b}.items()}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Accounts of this day, by the node's own clock, and of all time."""

    day: str = ""
    today: Account = Account()
    total: Account = Account()
    since_wall: float = 0.0

    def book(self, entry: Account, day: str, wall: float) -> Ledger:
        """Return the ledger after *entry*, which belongs to *day*."""
        today = self.today if day == self.day else Account()
        since = self.since_wall or wall
        return replace(
            self, day=day, today=today + entry, total=self.total + entry, since_wall=since
        )
