"""What the engine tells the world: its figures, gathered into one frozen Snapshot a tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plancton.config.policy import Figures
from plancton.config.state import ConfigState
from plancton.engine.actions import Due
from plancton.engine.diary import Diary
from plancton.engine.ledger import Ledger
from plancton.engine.model import CpuLoad, Mode, Observation, Pilot, Protection
from plancton.engine.reasons import Reason
from plancton.engine.signal_views import signal_views
from plancton.engine.snapshot import Coming, Finding, PilotView, SinkState, Snapshot
from plancton.engine.state import State
from plancton.engine.words import sink_line


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this engine is."""

    node: str
    instance: str
    version: str
    pid: int
    started_wall: float


class CpuMeter:
    """Turns pilots' CPU counters into cores used between two looks."""

    def __init__(self) -> None:
        """Start without a first look."""
        self._last: dict[str, tuple[float, float]] = {}
        self.cores: dict[str, float] = {}

    def measure(self, pilots: tuple[Pilot, ...], now: float) -> None:
        """Take a look; looks less than half a second apart keep the earlier figure."""
        last: dict[str, tuple[float, float]] = {}
        cores: dict[str, float] = {}
        for pilot in pilots:
            if pilot.cpu_seconds is None:
                continue
            at, used = self._last.get(pilot.id, (now, pilot.cpu_seconds))
            if now - at >= 0.5:
                cores[pilot.id] = max(0.0, pilot.cpu_seconds - used) / (now - at)
                at, used = now, pilot.cpu_seconds
            elif pilot.id in self.cores:
                cores[pilot.id] = self.cores[pilot.id]
            last[pilot.id] = (at, used)
        self._last, self.cores = last, cores


@dataclass(slots=True)
class Told:
    """The engine thread's own figures between snapshots; nobody else touches them."""

    identity: Identity
    diary: Diary
    mode: Mode = Mode.ACTIVE
    meter: CpuMeter = field(default_factory=CpuMeter)
    observation: Observation | None = None
    observed_at: float = 0.0
    findings: tuple[Reason, ...] = ()
    due: Due | None = None
    figures: Figures = field(default_factory=lambda: Figures(0, {}, True, None))
    names: Mapping[str, float] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    trouble: str = ""
    protection_note: str = ""
    tick: int = 0
    reloads: int = 0
    spawned: int = 0
    evicted: int = 0
    frozen: int = 0
    requests: int = 0
    tick_seconds: float = 0.0
    errors: int = 0
    sinks: tuple[SinkState, ...] = ()

    def snapshot(
        self, config: ConfigState, state: State, degraded: str, now: float, wall: float
    ) -> Snapshot:
        """Freeze this moment. While degraded, pilots and load are those last seen."""
        who, seen = self.identity, self.observation
        live = tuple(pilot for pilot in seen.pilots if pilot.live) if seen else ()
        load = seen.load if seen else None
        committed = sum(pilot.cpus for pilot in live if not pilot.frozen)
        return Snapshot(
            node=who.node,
            instance=who.instance,
            version=who.version,
            pid=who.pid,
            started_wall=who.started_wall,
            wall=wall,
            tick=self.tick,
            mode=self.mode,
            degraded=degraded,
            protection=seen.host.protection if seen else Protection.WEIGHT_ONLY,
            protection_note=self.protection_note if seen else "",
            load=load,
            host=seen.host if seen else None,
            maximum=self.figures.maximum,
            committed=committed,
            room=_room(load, config, committed),
            ceiling=_ceiling(load, config),
            profiles=_profiles(config, seen),
            pilots=tuple(self._pilot(pilot, state, now) for pilot in seen.pilots) if seen else (),
            findings=tuple(Finding(f.code, dict(f.values), str(f)) for f in self.findings),
            coming=_coming(self.due, wall - now),
            decisions=tuple(self.diary.decisions),
            signals=signal_views(seen, config.config.protect, state) if seen else (),
            ledger=self.ledger,
            policy=dict(self.names),
            warnings=self._warnings(config),
            events=tuple(self.diary.events),
            ended=tuple(self.diary.ended),
            config_source=config.source,
            config_error=config.error,
            config_revision=config.revision,
            remote=config.remote,
            reloads=self.reloads,
            images=dict(seen.images) if seen else {},
            requests=self.requests,
            spawned=self.spawned,
            evicted=self.evicted,
            frozen=self.frozen,
            interval=config.config.node.interval,
            tick_seconds=self.tick_seconds,
            errors=self.errors,
            backoffs=len(state.backoffs),
            sinks=self.sinks,
        )

    def _warnings(self, config: ConfigState) -> tuple[str, ...]:
        images = self.observation.images if self.observation else {}
        stale = [
            f"image {name} could not be refreshed, the local one is used: {image.error}"
            for name, image in images.items()
            if image.id and image.error
        ]
        trouble = [self.trouble] if self.trouble else []
        return (*config.warnings, *trouble, *stale, *map(sink_line, filter(_ails, self.sinks)))

    def _pilot(self, pilot: Pilot, state: State, now: float) -> PilotView:
        ending = state.endings.get(pilot.id)
        frozen = state.frozen.get(pilot.id) if pilot.frozen else None
        since = pilot.created_at if pilot.started_at is None else pilot.started_at
        slot = self.diary.slots.of(pilot.id)
        return PilotView(
            id=pilot.id,
            name=pilot.name,
            profile=pilot.profile,
            state="terminating" if ending and pilot.live else _shown(pilot),
            age=max(0.0, now - since),
            ttl_left=None if pilot.deadline_at is None else pilot.deadline_at - now,
            cpus=pilot.cpus,
            cpu=self.meter.cores.get(pilot.id),
            memory=pilot.memory,
            image_id=pilot.image_id,
            note=str(ending.reason) if ending else str(frozen.reason) if frozen else "",
            efficiency=_efficiency(pilot, now),
            memory_used=pilot.memory_used,
            slot=slot.number,
            before=slot.before,
            last_exit=slot.last_exit,
        )


def _profiles(config: ConfigState, seen: Observation | None) -> tuple[str, ...]:
    there = [pilot.profile for pilot in seen.pilots] if seen else []
    return tuple(dict.fromkeys([*(each.name for each in config.config.pilots), *there]))


def _ails(sink: SinkState) -> bool:
    return bool(sink.error)


def _ceiling(load: CpuLoad | None, config: ConfigState) -> float | None:
    spawn = config.config.spawn
    return None if load is None else spawn.ceiling * load.ncpus - spawn.reserve


def _room(load: CpuLoad | None, config: ConfigState, committed: float) -> float | None:
    ceiling = _ceiling(load, config)
    return None if load is None or ceiling is None else ceiling - load.foreground - committed


def _coming(due: Due | None, boot: float) -> Coming | None:
    """Return what is due by the wall clock; *boot* is when the boot clock was 0."""
    if due is None:
        return None
    return Coming(due.at + boot, due.reason.code, dict(due.reason.values), str(due.reason))


def _efficiency(pilot: Pilot, now: float) -> float | None:
    if pilot.started_at is None or pilot.cpu_seconds is None or now <= pilot.started_at:
        return None
    return pilot.cpu_seconds / (pilot.cpus * (now - pilot.started_at))


def _shown(pilot: Pilot) -> str:
    words = {"created": "starting", "paused": "frozen"}
    return words.get(pilot.state.value, pilot.state.value)
