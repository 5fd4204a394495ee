"""A pilot as Docker shows it. Times are seconds, CPU is cores, memory is bytes.

``now`` and every ``*_at`` are seconds of the machine's boot clock (CLOCK_BOOTTIME), which
steps of the wall clock, time zones and DST do not touch; ``*_wall`` are seconds of the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PilotState(StrEnum):
    """What Docker says of a container, reduced to what matters here."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    DEAD = "dead"
    REMOVING = "removing"


_LIVE = (PilotState.RUNNING, PilotState.CREATED, PilotState.PAUSED)


@dataclass(frozen=True, slots=True)
class Written:
    """What a pilot has written to disk. At least: what it wrote very deep or often is not seen."""

    size: int
    """Bytes."""
    files: int | None = None
    """Files and folders; None: they were not counted."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """One container of ours, as Docker shows it now."""

    id: str
    name: str
    """May be empty: dead and half-removed containers lose theirs."""
    profile: str
    state: PilotState
    cpus: float
    """Cores promised to it."""
    created_at: float
    started_at: float | None = None
    """From Docker's StartedAt; None before the start."""
    deadline_at: float | None = None
    """End of its time to live; None if it has none of ours."""
    finished_at: float | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    """Docker's own word for why it did not start."""
    cpu_seconds: float | None = None
    """CPU time used so far; None where it cannot be read."""
    grace: float = 10.0
    """Seconds between its SIGTERM and SIGKILL."""
    memory: int = 0
    """Bytes promised to it."""
    image_id: str = ""
    """ID of the image it was made from."""
    checkpoint_at: float | None = None
    """When it last said that it saved its work."""
    memory_used: int | None = None
    """Bytes it uses, file cache included; None where that cannot be read."""
    disk: int = 0
    """Bytes it may write; 0: there is no bound."""
    written: Written | None = None
    """What it has written, as it was last measured; None: that is not known."""
    swapped: int | None = None
    """Bytes of a frozen pilot that lie in swap; None where that cannot be read, or if it runs."""
    sent: int | None = None
    """Bytes it sent over the network; None where it has none of its own, or nobody counts."""
    received: int | None = None
    bound_to: tuple[int, ...] = ()
    """CPUs that it may use; none: all."""
    most_cores: float | None = None
    """Cores that it may use in the idle class, infinite: all; None: those promised."""
    held_to: float | None = None
    """Cores that its quota lets it use now, infinite: it has none; None: that is not known."""

    @property
    def label(self) -> str:
        """What people call it: its name, or the beginning of its ID."""
        return self.name or self.id[:12]

    @property
    def live(self) -> bool:
        """Whether it holds, or may soon hold, cores: not yet exited."""
        return self.state in _LIVE

    @property
    def frozen(self) -> bool:
        """Whether it is stopped where it is, using no CPU."""
        return self.state is PilotState.PAUSED

    def lost(self, now: float) -> float:
        """Core-seconds of work that would be lost if it ended now.

        What it used since its start, or the part that lies after its last checkpoint.
        """
        started = self.created_at if self.started_at is None else self.started_at
        age = max(0.0, now - started)
        used = self.cpus * age if self.cpu_seconds is None else self.cpu_seconds
        if self.checkpoint_at is None or not age:
            return used
        return used * min(1.0, max(0.0, now - self.checkpoint_at) / age)

    @property
    def lifetime(self) -> float | None:
        """Seconds it ran, if it ran and ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, self.finished_at - self.started_at)
