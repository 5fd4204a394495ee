"""Run the real engine over a trace, on a simulated node and clock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from plancton import __version__
from plancton.config.effective import ConfigState
from plancton.config.schema import Config
from plancton.engine.loop import Engine, Rule
from plancton.engine.model.node import HostSample, Protection, Stalled
from plancton.engine.model.operator import Mode
from plancton.engine.model.reason import Code
from plancton.engine.ports import ModeStore, Ports
from plancton.engine.records.ledger import Account
from plancton.engine.rules.decide import decide
from plancton.engine.snapshot_builder import Identity
from plancton.engine.views.snapshot import Snapshot
from plancton.runtime.simulated_bursts import Bursts
from plancton.runtime.simulated_node import SimulatedNode
from plancton.runtime.simulated_starter import SimulatedStarter
from plancton.simulation.trace import Trace, TracePoint

_WAIT_FOR_NEXT_TICK = (Code.PER_TICK, Code.WARMING_UP)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a trace does not tell. The defaults of starts were measured with Docker 20.10."""

    life: float = 3600.0
    """Mean life of a pilot that nobody ends, seconds; lives are exponentially distributed."""
    exact_life: bool = False
    """Every pilot lives for exactly so long."""
    pilot_cpu: float = 1.0
    """Part of its cores that a pilot uses, while it computes."""
    efficiency: float = 1.0
    """Part of the time that an undelayed pilot computes, above 0; it waits in between."""
    cycle: float = 1.0
    """Mean seconds of an undelayed burst of computing and the wait after it."""
    start_delay: float = 0.17
    """Seconds until a container runs."""
    start_cost: float = 0.23
    """Core-seconds that a start costs the node."""
    protection: Protection = Protection.IDLE
    tick: float = 0.01
    """Shortest time between two looks of the engine, seconds; ends of pilots wake it sooner, and
    while it starts pilots it looks as often as it wants."""
    seed: int = 1


@dataclass(slots=True)
class SimulationResult:
    """What came of one run."""

    name: str
    trace: Trace
    account: Account
    foreground_wanted: float
    """Core-seconds that the foreground asked for."""
    foreground_got: float
    """Core-seconds that it had."""
    took: float
    """Seconds that the simulation took."""
    columns: list[UsageColumn] = field(default_factory=list)

    @property
    def idle(self) -> float:
        """Core-seconds that the foreground did not ask for."""
        return self.trace.ncpus * self.trace.seconds - self.foreground_wanted

    @property
    def share(self) -> float | None:
        """Part of them that pilots used; None if there were none."""
        return self.account.harvested / self.idle if self.idle > 1e-6 else None

    @property
    def slowdown(self) -> float:
        """How much longer the foreground took for the CPU time it wanted."""
        return self.foreground_wanted / self.foreground_got if self.foreground_got > 0 else 1.0

    @property
    def speed(self) -> float:
        """Times faster than real time."""
        return self.trace.seconds / self.took if self.took else float("inf")


@dataclass(frozen=True, slots=True)
class UsageColumn:
    """Mean cores over one part of the run, for plots."""

    foreground: float
    own: float


class FixedConfig:
    """A configuration that does not change."""

    def __init__(self, config: Config, name: str) -> None:
        """Hold *config*."""
        self._state = ConfigState(config, name, 1)

    def current(self, *, reload: bool = False) -> ConfigState:  # noqa: ARG002 (a port)
        """Return it."""
        return self._state

    def confirm(self) -> ConfigState:
        """Stay."""
        return self.current()

    def reject(self, why: str) -> None:
        """Stay: there is no other."""


class AlwaysActive:
    """An operator who says nothing."""

    def mode(self) -> Mode:
        """Return that the node is active."""
        return Mode.ACTIVE

    def fulfilled(self, mode: Mode) -> None:
        """Do nothing."""


class Simulation:
    """One engine on one node under one trace."""

    engine_class: type[Engine] = Engine

    def __init__(
        self,
        config: Config,
        trace: Trace,
        *,
        name: str = "config",
        assumptions: Assumptions | None = None,
        rule: Rule = decide,
        subscriber: Callable[[Snapshot], None] | None = None,
        mode_store: ModeStore | None = None,
    ) -> None:
        """Prepare; nothing has happened yet."""
        self.name, self.trace = name, trace
        self.assumptions = given = assumptions or Assumptions()
        self.node = node = SimulatedNode(trace.ncpus)
        node.epoch = trace.start - node.now()
        node.memory_total = trace.memory
        node.pilot_cpu, node.protection = given.pilot_cpu, given.protection
        node.start_delay, node.start_cost = given.start_delay, given.start_cost
        if given.efficiency < 1:
            node.bursts = Bursts(given.efficiency, given.cycle, given.seed)
        rng = random.Random(given.seed)  # noqa: S311 (a repeatable simulation)
        life, exact = given.life, given.exact_life
        node.lifetime = lambda _: life if exact else rng.expovariate(1 / life)
        _apply_point(node, trace.points[0])
        source, modes = FixedConfig(config, name), mode_store or AlwaysActive()
        starter = SimulatedStarter(node)
        ports = Ports(node, node, node, source, modes, node, node, figures=node, starter=starter)
        identity = Identity("simulated", "simulated", __version__, 0, node.wall())
        subscribers = (subscriber,) if subscriber else ()
        self.engine = self.engine_class(ports, identity, subscribers, rule)

    def run(self, columns: int = 72) -> SimulationResult:
        """Run to the end of the trace."""
        began = time.perf_counter()
        node, width = self.node, self.trace.seconds / columns
        shown: list[UsageColumn] = []
        end = node.now() + self.trace.seconds
        mark = _core_seconds_used(node)
        for _ in self.ticks():
            while node.now() >= end - self.trace.seconds + (len(shown) + 1) * width - 1e-6:
                now = _core_seconds_used(node)
                shown.append(UsageColumn((now[0] - mark[0]) / width, (now[1] - mark[1]) / width))
                mark = now
                if len(shown) == columns:
                    break
        took = time.perf_counter() - began
        account = self.engine.books.ledger.total
        account = replace(account, harvested=_core_seconds_used(node)[1])
        return SimulationResult(
            self.name, self.trace, account, node.foreground_wanted, node.foreground_got, took, shown
        )

    def ticks(self) -> Iterator[None]:
        """Tick as the engine asks, at each end of a pilot, and at each change of the trace."""
        node, begin = self.node, self.node.now()
        upcoming = iter(self.trace.points[1:])
        point = next(upcoming)
        end = begin + self.trace.seconds
        due = node.now()
        while node.now() < end:
            if node.now() >= due or node.ended or node.woken:
                wait = self.engine.turn(0.0, node.take_ended())
                if wait is None:
                    return
                shortest = 0.01 if self._is_starting_pilots() else self.assumptions.tick
                due = node.now() + max(shortest, wait)
            until = min(due, begin + point.at, end)
            node.advance(max(0.0, until - node.now()), to_event=True)
            while begin + point.at <= node.now() and point is not self.trace.points[-1]:
                _apply_point(node, point)
                point = next(upcoming)
            yield
        self.engine.step(ended=node.take_ended())

    def _is_starting_pilots(self) -> bool:
        """Say whether pilots wait for nothing but the next look."""
        decision = self.engine.builder.decision
        findings = decision.findings if decision is not None else ()
        return any(finding.code in _WAIT_FOR_NEXT_TICK for finding in findings)


def _core_seconds_used(node: SimulatedNode) -> tuple[float, float]:
    """Core-seconds of foreground and pilots so far."""
    return node.foreground_got, node.own_seconds


def _apply_point(node: SimulatedNode, point: TracePoint) -> None:
    node.foreground = min(point.foreground, float(node.ncpus))
    node.foreground_memory = point.memory
    node.figures = dict(point.figures)
    stalled = {
        "memory": Stalled(point.stall_memory, 0.0),
        "io": Stalled(point.stall_io, 0.0),
    }
    node.host = HostSample(
        0.0,
        node.ncpus,
        0.0,
        0.0,
        disk_free=int(point.disk_free),
        disk_total=10**12,
        stalled=stalled,
        users=point.users,
        user_idle=None if point.user_idle < 0 else point.user_idle,
        on_battery=bool(point.on_battery) or None,
    )
