"""A real engine in the test's own process, on a daemon of the tests' own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plancton.engine.loop import Engine
from plancton.engine.model.node import HostSample
from plancton.engine.ports import Ports
from plancton.engine.snapshot_builder import Identity
from plancton.engine.views.snapshot import Snapshot
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.images import DockerImages
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.host import HostSampler
from plancton.service.process.clock import SystemClock
from tests.conftest import INSTANCE, until
from tests.e2e.daemon import Daemon
from tests.scenario.rig import NoStateStore, Settings, Word

PILOTS = 3
PILOT = {"command": "sleep 1000", "network": "none", "grace": "1s", "cpus": 0.3}


class IdleHost(HostSampler):
    """The machine, but what else runs on it is no foreground."""

    def sample(self, now: float) -> HostSample:
        """Measure all but the CPU."""
        return replace(super().sample(now), busy_seconds=0.0)


class House:
    """An engine in this process on the daemon, stepped by the test."""

    def __init__(self, daemon: Daemon, **groups: Any) -> None:
        """Build it, with three sleeping pilots, or as *groups* configure it."""
        clock, parent = SystemClock(), ParentCgroup(INSTANCE)
        self.runtime = DockerRuntime(daemon.url, INSTANCE, clock, parent, timeout=6)
        spawn = {"maximum": PILOTS, "min_room": 0.3, "short_life": 0}
        usual = {"pilots": [PILOT], "spawn": spawn, "image": {"pull": False}}
        self.settings = Settings(**{**usual, **groups})
        self.word = Word()
        self.images = DockerImages(daemon.url, clock)
        host = IdleHost(parent, lambda: self.runtime.data_root)
        ports = Ports(
            self.runtime, host, self.images, self.settings, self.word, clock, NoStateStore()
        )
        self.engine = Engine(ports, Identity("n", INSTANCE, "0", 1, clock.wall()))
        self.most = 0

    def step(self) -> None:
        """Tick once; remember the most pilots ever seen."""
        self.engine.step()
        self.images.pull_due()
        self.most = max(self.most, len(self.alive))

    @property
    def latest(self) -> Snapshot:
        """The newest snapshot."""
        assert self.engine.latest
        return self.engine.latest

    @property
    def alive(self) -> set[str]:
        """IDs of running pilots in the newest snapshot."""
        pilots = self.engine.latest.pilots if self.engine.latest else ()
        return {pilot.id for pilot in pilots if pilot.state == "running"}

    @property
    def degraded(self) -> str:
        """Why the node cannot be observed."""
        return self.engine.latest.degraded if self.engine.latest else ""

    def fill(self) -> set[str]:
        """Tick until full."""
        until(self._full, 100, 0.3)
        return self.alive

    def _full(self) -> bool:
        self.step()
        return len(self.alive) == PILOTS
