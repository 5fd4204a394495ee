"""The configuration in force, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plancton.config.schema import Config  # takes long, and readers of snapshots need none


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What is known of a remote configuration."""

    url: str
    """Without credentials."""
    checked_wall: float | None = None
    """When it was last asked for."""
    fetched_wall: float | None = None
    """When the one in force was fetched."""
    error: str = ""
    """Why the last fetch failed; empty if it did not."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration in force."""

    key: str
    """For example ``pilots[worker].cpus``."""
    value: str
    """As JSON; secrets are masked."""
    origin: str
    """The file that sets it; empty: it is the built-in default."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file sets, in the native form."""

    name: str
    values: Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule, and whether it holds on this node."""

    name: str
    """Its file and place, for example ``config.yaml: match[0]``."""
    unmet: str
    """Which condition does not hold; empty: all do."""


@dataclass(frozen=True, slots=True)
class ConfigState:
    """The last good configuration."""

    config: Config
    source: str
    """The file it came from, or "built-in defaults"."""
    revision: int = 1
    error: str = ""
    """Why the newest file is not in force; empty if it is."""
    warnings: tuple[str, ...] = ()
    remote: RemoteState | None = None
    """Where the rest of it comes from; None: from nowhere else."""
    layers: tuple[Layer, ...] = ()
    """The files, and their rules, that it was made of, the winning one first."""
    rules: tuple[RuleStatus, ...] = ()
    """All rules of these files."""
