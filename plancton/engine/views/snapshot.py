"""What the engine publishes: one frozen snapshot a tick, the same for every view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plancton.config.effective import RemoteState
from plancton.engine.model.node import CpuLoad, HostSample, ImageStatus, Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Value
from plancton.engine.records.ledger import Ledger


@dataclass(frozen=True, slots=True)
class EndedPilot:
    """The engine's record of a pilot that is gone."""

    id: str
    name: str
    profile: str
    exit_code: int | None
    oom_killed: bool
    lifetime: float | None
    reason: str
    log: str
    """Its last lines."""
    ended_wall: float
    code: str = ""
    """The reason's short name: exited, ttl, operator."""
    started: bool = True
    """Whether it ever ran."""
    core_seconds: float | None = None
    """CPU time it used; None where that cannot be read."""


@dataclass(frozen=True, slots=True)
class SinkState:
    """How it stands with one target of metrics."""

    name: str
    """Its kind and address, without credentials."""
    sent: int = 0
    """Points it took since the engine's start."""
    queued: int = 0
    """Points kept for it."""
    dropped: int = 0
    """Points lost: too old when the buffer was full, or refused."""
    failures: int = 0
    """Tries that failed, one after the other; 0: the last one did not."""
    error: str = ""
    """What is wrong; empty: nothing."""
    since_wall: float | None = None
    """When that began."""
    last_wall: float | None = None
    """When it took something last."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the engine's diary."""

    wall: float
    text: str
    level: str = "INFO"
    """INFO, WARNING or ERROR."""


@dataclass(frozen=True, slots=True)
class UpcomingEvent:
    """The next known thing to happen, if nothing comes between."""

    wall: float
    code: str
    values: Mapping[str, Value]
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Why nothing more is done now."""

    code: str
    values: Mapping[str, Value]
    text: str


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision: what was done to whom, or what is waited for, and why."""

    wall: float
    did: str
    """started, frozen, thawed, asked to end, killed, removed; or waiting."""
    subject: str
    """Name of the pilot or profile; empty: the node."""
    code: str
    values: Mapping[str, Value]
    text: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class SignalView:
    """One signal as people see it."""

    name: str
    reading: str
    limits: str
    """What it may do, and when; "off" if nothing."""
    acts: str = ""
    """What it does now: stop, freeze or evict; empty: nothing."""


@dataclass(frozen=True, slots=True)
class ObjectiveView:
    """One of the owner's objectives."""

    name: str
    value: float | None
    """The figure; None: it is not known."""
    limit: float
    unit: str = ""
    age: float | None = None
    """Seconds since the last reading that succeeded; None: there was none."""
    error: str = ""
    """Why the newest try failed; empty: it did not."""


@dataclass(frozen=True, slots=True)
class PilotView:
    """A pilot as people see it."""

    id: str
    name: str
    profile: str
    state: str
    age: float
    """Seconds since its start, or since its creation if it has not started."""
    ttl_left: float | None
    cpus: float
    """Cores promised to it."""
    cpu: float | None
    """Cores used since the last tick."""
    memory: int = 0
    """Bytes promised to it."""
    image_id: str = ""
    note: str = ""
    efficiency: float | None = None
    """Part of the CPU time promised to it since its start that it used, at most 1."""
    mean_cpu: float | None = None
    """Cores used on average since its start; beyond those promised they were idle ones."""
    cpu_limit: float | None = None
    """Most cores that it may use now: its quota, or all of the node; None: that is not known."""
    memory_used: int | None = None
    """Bytes it uses, file cache included; None where that cannot be read."""
    disk: int = 0
    """Bytes it may write to disk; 0: there is no bound."""
    disk_used: int | None = None
    """Bytes it has written there, as last measured; None: that is not known."""
    swapped: int = 0
    """Bytes that lie in swap while it is frozen."""
    sent: int | None = None
    """Bytes it sent over the network; None where nobody counts."""
    received: int | None = None
    bound_to: tuple[int, ...] = ()
    """CPUs that it is bound to; none: it may use all."""
    slot: int = 0
    """A place among the pilots of its profile: the lowest free one when it came."""
    before: int = 0
    """Pilots that had this place before it, since the engine's start."""
    last_exit: str = ""
    """Why the one before it ended; empty: there was none."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the engine, as every view shows it."""

    node: str
    instance: str
    version: str
    pid: int
    started_wall: float
    wall: float
    tick: int
    mode: Mode
    degraded: str
    """Why the node cannot be observed; empty when it can."""
    protection: Protection
    protection_note: str
    """How to get the full protection; empty if it is there."""
    latency: str
    """How the owner's tail latency is kept, in words."""
    spread: bool
    """Whether each pilot is bound to cores of its own."""
    load: CpuLoad | None
    host: HostSample | None
    maximum: int
    committed: float
    overcommit: float
    """How many times the free cores may be promised to pilots."""
    room: float | None
    ceiling: float | None
    """Cores that foreground and pilots may take together."""
    profiles: tuple[str, ...]
    """Names of the profiles: those configured, and those of pilots that are still there."""
    pilots: tuple[PilotView, ...]
    findings: tuple[Finding, ...]
    coming: UpcomingEvent | None
    decisions: tuple[DecisionRecord, ...]
    signals: tuple[SignalView, ...]
    objectives: tuple[ObjectiveView, ...]
    """The owner's own, as ``protect.slo`` names them."""
    ledger: Ledger
    policy: Mapping[str, float]
    """Every name that expressions may use, with its value."""
    unenforced: tuple[str, ...]
    """Limits that pilots do not have on this node, in words."""
    warnings: tuple[str, ...]
    """Things the administrator should mend: config, image, disk."""
    events: tuple[Event, ...]
    ended: tuple[EndedPilot, ...]
    config_source: str
    config_error: str
    config_revision: int
    remote: RemoteState | None
    """Where a remote configuration comes from; None: there is none."""
    reloads: int
    """How often a reload was asked for and done."""
    images: Mapping[str, ImageStatus]
    requests: int
    """Requests to Docker by the engine since its start."""
    spawned: int
    evicted: int
    frozen: int
    """Times a pilot was frozen."""
    interval: float
    tick_seconds: float
    """How long this tick took."""
    errors: int
    """Ticks without Docker and actions that failed, since the engine's start."""
    backoffs: int
    """Profiles that wait after failures."""
    sinks: tuple[SinkState, ...]
    """The targets of metrics."""
    cpu_limit: str = ""
    """Whether pilots may use idle cores beyond their promise, in words; empty: none ever may."""
