"""Gathers the engine's figures into one frozen Snapshot a tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from plancton.config.effective import ConfigState
from plancton.config.evaluate import ExpressionValues, evaluate, names_for
from plancton.config.expressions import ExpressionError
from plancton.config.schema import Config
from plancton.config.units import format_size
from plancton.engine.event_recorder import EventRecorder
from plancton.engine.model.action import Decision, Due, Outcome, Starting
from plancton.engine.model.node import CpuLoad, Observation, Protection
from plancton.engine.model.operator import Mode
from plancton.engine.model.pilot import Pilot
from plancton.engine.model.policy import Policy
from plancton.engine.model.state import Frozen, State
from plancton.engine.records.cpu_meter import CpuMeter
from plancton.engine.records.ledger import Account, Ledger
from plancton.engine.rules.apply_outcomes import apply_to_pilots
from plancton.engine.rules.objectives import reading_of
from plancton.engine.rules.placement import cpus_of, usable_cpus
from plancton.engine.views.limits import limit_lines
from plancton.engine.views.signals import objective_views, signal_views
from plancton.engine.views.snapshot import Finding, PilotView, SinkState, Snapshot, UpcomingEvent
from plancton.engine.views.text import sink_line


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this engine is."""

    node: str
    instance: str
    version: str
    pid: int
    started_wall: float


@dataclass(slots=True)
class SnapshotBuilder:
    """The engine thread's own figures between snapshots; nobody else touches them."""

    identity: Identity
    recorder: EventRecorder
    mode: Mode = Mode.ACTIVE
    meter: CpuMeter = field(default_factory=CpuMeter)
    observation: Observation | None = None
    observed_at: float = 0.0
    decision: Decision | None = None
    """The last one."""
    values: ExpressionValues = field(default_factory=lambda: ExpressionValues(0, {}, True, None))
    names: Mapping[str, float] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    trouble: str = ""
    """Why an expression has no value."""
    failure: str = ""
    """Why the last tick failed; empty: it did not."""
    protection_note: str = ""
    tick: int = 0
    reloads: int = 0
    spawned: int = 0
    evicted: int = 0
    frozen: int = 0
    requests: int = 0
    starting: tuple[Starting, ...] = ()
    """Starts under way."""
    ignored: tuple[str, ...] = ()
    """Containers that are left alone, and why."""
    complaints: tuple[str, ...] = ()
    """What Docker said of the last pilot, though it made it."""
    tick_seconds: float = 0.0
    errors: int = 0
    sinks: tuple[SinkState, ...] = ()

    def observe(self, observation: Observation, now: float) -> None:
        """Take what was observed at *now*."""
        self.observation, self.observed_at = observation, now
        self.meter.measure(observation.pilots, now, observation.host.suspended_seconds)

    def policy(self, config: Config, here: Mapping[str, float]) -> Policy:
        """Return what a configuration asks for, where a bad expression keeps its last value."""
        self.names = names_for(config, here)
        try:
            self.values, self.trouble = evaluate(config, here), ""
        except ExpressionError as error:
            self.trouble = f"{error}; the last value stays"
        return Policy.of(config, self.values)

    def apply(self, outcome: Outcome, entry: Account) -> None:
        """Take what came of an action, of which *entry* is the account."""
        if self.observation is not None:
            pilots = apply_to_pilots(self.observation.pilots, outcome)
            self.observation = replace(self.observation, pilots=pilots)
        self.errors += bool(outcome.error)
        self.spawned += entry.started
        self.evicted += entry.evicted
        self.frozen += entry.frozen

    def snapshot(
        self, config: ConfigState, state: State, degraded: str, now: float, wall: float
    ) -> Snapshot:
        """Freeze this moment. While degraded, pilots and load are those seen last."""
        who, observation = self.identity, self.observation
        if observation is not None:
            self.recorder.slots.see(observation.pilots)
        decision = self.decision
        load = observation.load if observation else None
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
            protection=observation.host.protection if observation else Protection.WEIGHT_ONLY,
            protection_note=self.protection_note if observation else "",
            latency=decision.placement.text if decision else "",
            cpu_limit=decision.quotas.text if decision else "",
            spread=decision.placement.spread if decision else False,
            load=load,
            host=observation.host if observation else None,
            maximum=self.values.maximum,
            committed=decision.committed if decision else 0.0,
            overcommit=decision.overcommit if decision else 1.0,
            room=decision.room if decision else None,
            ceiling=_ceiling(load, config),
            profiles=_profiles(config, observation),
            pilots=tuple(self._pilot(pilot, state, now) for pilot in self._pilots()),
            findings=tuple(
                Finding(f.code, dict(f.values), str(f))
                for f in (decision.findings if decision else ())
            ),
            coming=_coming(decision.due if decision else None, wall - now),
            decisions=tuple(self.recorder.decisions),
            signals=signal_views(observation, config.config.protect, state) if observation else (),
            objectives=objective_views(observation, config.config.protect) if observation else (),
            ledger=self.ledger,
            policy=dict(self.names),
            unenforced=self._unenforced(),
            warnings=self._warnings(config, state),
            events=tuple(self.recorder.events),
            ended=tuple(self.recorder.ended),
            config_source=config.source,
            config_error=config.error,
            config_revision=config.revision,
            remote=config.remote,
            reloads=self.reloads,
            images=dict(observation.images) if observation else {},
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

    def _pilots(self) -> Iterator[Pilot]:
        """Yield the pilots that are there, then those that are starting."""
        there = self.observation.pilots if self.observation else ()
        names = {pilot.name for pilot in there}
        yield from there
        yield from (each.pilot for each in self.starting if each.name not in names)

    def _warnings(self, config: ConfigState, state: State) -> tuple[str, ...]:
        images = self.observation.images if self.observation else {}
        stale = [
            f"image {name} could not be refreshed, the local one is used: {image.error}"
            for name, image in images.items()
            if image.id and image.error
        ]
        stale += [f"image {name}: {image.note}" for name, image in images.items() if image.note]
        trouble = filter(None, (self.failure, self.trouble))
        complaints = (f"Docker said of the last pilot: {said}" for said in self.complaints)
        limits = (*self._unenforced(), *complaints, *self._objectives(config))
        said = (*config.warnings, *trouble, *self.ignored, *limits, *self._network(), *stale)
        failure = state.bind_failure
        unbound = (f"protect.latency: {failure.why}",) if failure else ()
        refused = (f"cpu_limit: {failure.why}",) if (failure := state.quota_failure) else ()
        return (*said, *unbound, *refused, *map(sink_line, filter(_fails, self.sinks)))

    def _network(self) -> tuple[str, ...]:
        share = self.observation.host.network if self.observation else None
        return (f"protect.network: {share.error}",) if share and share.error else ()

    def _bound(self, pilot: Pilot) -> tuple[int, ...]:
        usable = usable_cpus(self.observation.host) if self.observation else ()
        cpus = cpus_of(pilot, usable)
        return () if cpus == usable else cpus

    def _cpu_limit(self, pilot: Pilot) -> float | None:
        if self.observation is None or pilot.held_to is None:
            return None
        return min(pilot.held_to, float(self.observation.host.ncpus))

    def _objectives(self, config: ConfigState) -> Iterator[str]:
        seen = self.observation
        for objective in config.config.protect.slo:
            error = reading_of(objective, seen).error if seen else ""
            if error:
                yield f"protect.slo[{objective.name}]: {error}"

    def _unenforced(self) -> tuple[str, ...]:
        seen = self.observation
        return tuple(limit_lines(seen.unenforced, seen.host)) if seen else ()

    def _pilot(self, pilot: Pilot, state: State, now: float) -> PilotView:
        ending = state.endings.get(pilot.id)
        frozen = state.frozen.get(pilot.id) if pilot.frozen else None
        since = pilot.created_at if pilot.started_at is None else pilot.started_at
        slot, mean = self.recorder.slots.of(pilot.id), _mean_cpu(pilot, now)
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
            note=str(ending.reason) if ending else _frozen_note(pilot, frozen) if frozen else "",
            efficiency=None if mean is None else min(1.0, mean / pilot.cpus),
            mean_cpu=mean,
            cpu_limit=self._cpu_limit(pilot),
            memory_used=pilot.memory_used,
            disk=pilot.disk,
            disk_used=pilot.written.size if pilot.written else None,
            swapped=pilot.swapped or 0,
            sent=pilot.sent,
            received=pilot.received,
            bound_to=self._bound(pilot),
            slot=slot.number,
            before=slot.before,
            last_exit=slot.last_exit,
        )


def _frozen_note(pilot: Pilot, frozen: Frozen) -> str:
    gave = f"; it gave back {format_size(pilot.swapped)}, now in swap" if pilot.swapped else ""
    return f"{frozen.reason}{gave}"


def _profiles(config: ConfigState, observation: Observation | None) -> tuple[str, ...]:
    there = [pilot.profile for pilot in observation.pilots] if observation else []
    return tuple(dict.fromkeys([*(each.name for each in config.config.pilots), *there]))


def _fails(sink: SinkState) -> bool:
    return bool(sink.error)


def _ceiling(load: CpuLoad | None, config: ConfigState) -> float | None:
    spawn = config.config.spawn
    return None if load is None else spawn.ceiling * load.ncpus - spawn.reserve


def _coming(due: Due | None, boot: float) -> UpcomingEvent | None:
    """Return what is due by the wall clock; *boot* is when the boot clock was 0."""
    if due is None:
        return None
    return UpcomingEvent(due.at + boot, due.reason.code, dict(due.reason.values), str(due.reason))


def _mean_cpu(pilot: Pilot, now: float) -> float | None:
    if pilot.started_at is None or pilot.cpu_seconds is None or now <= pilot.started_at:
        return None
    return pilot.cpu_seconds / (now - pilot.started_at)


def _shown(pilot: Pilot) -> str:
    words = {"created": "starting", "paused": "frozen"}
    return words.get(pilot.state.value, pilot.state.value)
