"""A machine that exists only in memory: its cores, a clock that is stepped, and containers.

Only the physics: who owns the cores, what is left to containers, and when these end.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from plancton.config.schema import Profile
from plancton.engine.model.node import HostSample, Protection
from plancton.engine.model.pilot import Pilot, PilotState, Written
from plancton.runtime.simulated_bursts import Bursts, Phase
from plancton.runtime.simulated_cpus import Cpus


@dataclass(slots=True)
class Container:
    """One simulated container. Times are of the boot clock."""

    pilot: Pilot
    lifetime: float
    exit_code: int = 0
    ignores_term: bool = False
    log: str = ""
    frozen_at: float = 0.0
    phase: Phase = field(default_factory=Phase)


class SimulatedMachine:
    """Shares its cores between the foreground and containers while time is stepped."""

    def __init__(self, ncpus: int = 4) -> None:
        """Start idle, without containers."""
        self.ncpus, self.foreground = ncpus, 0.0
        self.foreground_memory, self.memory_total = 4e9, 256e9
        self.memory_use, self.pilot_cpu = 0.25, 1.0
        """Parts of its memory limit, and of the cores that it may use, that each pilot uses."""
        self.bursts: Bursts | None = None
        """When pilots compute and when they wait; None: they compute all the time."""
        self.write_rate = 0.0
        """Bytes a second that each running pilot writes to disk."""
        self.protection = Protection.IDLE
        self.start_delay = self.start_cost = 0.0
        """Seconds until a started container runs, and core-seconds that this costs the node."""
        self.host = HostSample(0.0, ncpus, 0.0, 0.0, disk_free=10**11, disk_total=10**12)
        """What no container changes; tests replace it."""
        self.foreground_wanted = self.foreground_got = 0.0
        """Core-seconds that the foreground wanted, and had."""
        self.foreground_delay = self.foreground_waited = 0.0
        """Seconds that its tasks wait each second for other reasons, and waited in all."""
        self.containers: dict[str, Container] = {}
        self.lifetime: Callable[[Profile], float] = lambda _: 60.0
        self.epoch, self.wall_step = 1_700_000_000.0, 0.0
        self.ended: set[str] = set()
        """Ends not yet reported; ``take_ended`` is the event stream."""
        self.woken = False
        """Whether something else has happened that wakes the engine."""
        self._calls: list[tuple[float, Callable[[], None]]] = []
        """What is to be called when, the next first."""
        self.suspended = 0.0
        """Seconds spent in suspend."""
        self._now, self._busy_seconds, self._own_seconds, self._start_debt = 1000.0, 0.0, 0.0, 0.0

    def now(self) -> float:
        """Return the boot clock."""
        return self._now

    def wall(self) -> float:
        """Return the wall clock, which tests may step."""
        return self.epoch + self._now + self.wall_step

    def day(self) -> str:
        """Return the day, in UTC."""
        return str(int(self.wall() // 86400))

    @property
    def own_seconds(self) -> float:
        """Core-seconds of all pilots ever."""
        return self._own_seconds

    def take_ended(self) -> frozenset[str]:
        """Return the IDs of containers that ended since the last call; the engine is awake."""
        ended, self.ended, self.woken = frozenset(self.ended), set(), False
        return ended

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something called when so much time has passed."""
        insort(self._calls, (self._now + seconds, call), key=itemgetter(0))

    def advance(self, seconds: float, *, to_event: bool = False) -> None:
        """Let time pass, with *to_event* no further than to what wakes the engine.

        CPU is used, and containers end when their life is over.
        """
        end = self._now + seconds
        while self._now < end and not (to_event and (self.ended or self.woken)):
            ends = (c.pilot.started_at or 0) + c.lifetime if (c := self._first_to_end()) else end
            due = self._calls[0][0] if self._calls else end
            until = min(end, max(self._now, min(ends, due)))
            self._use_cpu(until - self._now)
            self._now = until
            if self._calls and due <= until:
                self._calls.pop(0)[1]()
            elif c is not None and ends <= until:
                self._exit(c, c.exit_code)
            elif until >= end:
                return

    def suspend(self, seconds: float) -> None:
        """Let time pass in which nothing runs, while the boot clock goes on."""
        self._now += seconds
        self.suspended += seconds

    def _first_to_end(self) -> Container | None:
        running = [c for c in self.containers.values() if c.pilot.state is PilotState.RUNNING]
        return min(running, key=lambda c: (c.pilot.started_at or 0) + c.lifetime, default=None)

    def _use_cpu(self, seconds: float) -> None:
        """Share the cores for so many seconds. Starting containers costs the node, too."""
        running = [c for c in self.containers.values() if c.pilot.state is PilotState.RUNNING]
        wanted = min(self.foreground, float(self.ncpus))
        starts = min(self._start_debt, max(0.0, self.ncpus - wanted) * seconds)
        self._start_debt -= starts
        available = self.ncpus - (starts / seconds if seconds else 0.0)
        got, all_used = self._core_seconds(running, available, wanted, seconds)
        for each, used in zip(running, all_used, strict=True):
            self._own_seconds += used
            size = (
                each.pilot.written.size if each.pilot.written else 0
            ) + self.write_rate * seconds
            each.pilot = replace(
                each.pilot,
                cpu_seconds=(each.pilot.cpu_seconds or 0) + used,
                written=Written(int(size)),
            )
            self._busy_seconds += used
        self._busy_seconds += got + starts
        self.foreground_wanted += wanted * seconds
        self.foreground_got += got
        self.foreground_waited += wanted * seconds - got + self.foreground_delay * seconds

    def _core_seconds(
        self, running: Sequence[Container], available: float, wanted: float, seconds: float
    ) -> tuple[float, list[float]]:
        """Return what the foreground gets of the *available* cores, and each pilot.

        The foreground first, or by weight where nothing protects it. Pilots share what is left
        by the cores promised to them, up to their quota; those that are bound to CPUs share these.
        """
        cpus = Cpus(
            self.ncpus, [c.pilot.cpus for c in running], [c.pilot.bound_to for c in running]
        )

        def split(wants: Sequence[float]) -> tuple[float, list[float]]:
            pilots_want, got = sum(wants), wanted
            if self.protection is Protection.WEIGHT_ONLY and wanted + pilots_want > available:
                got = max(available - pilots_want, available * wanted / (wanted + pilots_want))
            return got, cpus.share_out(max(0.0, available - got), wants)

        wants = [self._cores_of(c.pilot) * self.pilot_cpu for c in running]
        if self.bursts is not None:
            return self.bursts.use([c.phase for c in running], wants, seconds, split)
        got, shares = split(wants)
        return got * seconds, [share * seconds for share in shares]

    def _cores_of(self, pilot: Pilot) -> float:
        """Return the cores that a pilot may use: by its quota, and by the CPUs it is bound to."""
        quota = pilot.cpus if pilot.held_to is None else pilot.held_to
        return min(quota, float(len(pilot.bound_to) or self.ncpus))

    def _exit(self, container: Container, code: int) -> None:
        self.ended.add(container.pilot.id)
        container.pilot = replace(
            container.pilot, state=PilotState.EXITED, exit_code=code, finished_at=self._now
        )

    def set_state(self, id_: str, state: PilotState) -> None:
        """Let somebody else change a container's state."""
        container = self.containers[id_]
        container.pilot = replace(container.pilot, state=state)

    def running(self) -> list[Pilot]:
        """Return what really runs, oldest first."""
        everything = sorted(self.containers.values(), key=lambda c: c.pilot.created_at)
        return [c.pilot for c in everything if c.pilot.state is PilotState.RUNNING]
