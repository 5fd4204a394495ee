"""Docker killed, stalled and restarted under a full house, with a daemon of the tests' own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plancton.engine.loop import Engine
from plancton.engine.model.node import HostSample
from plancton.engine.model.operator import Mode
from plancton.engine.ports import Ports
from plancton.engine.snapshot_builder import Identity
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import docker_url
from plancton.runtime.docker.images import ImagePuller
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.host import HostSampler
from plancton.service.process.clock import SystemClock
from tests.conftest import INSTANCE, until
from tests.e2e.daemon import Daemon
from tests.scenario.rig import NoStateStore, Settings, Word

pytestmark = pytest.mark.docker
PILOTS = 3


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return busybox as a file."""
    path = tmp_path_factory.mktemp("image") / "busybox.tar"
    subprocess.run(["docker", "-H", docker_url(), "save", "-o", str(path), "busybox"], check=True)
    return path


@pytest.fixture(params=[True, False], ids=["live-restore", "plain"])
def daemon(request: pytest.FixtureRequest, archive: Path) -> Iterator[Daemon]:
    """Return a running daemon, of both kinds."""
    # Its sockets lie deep below it, and their paths must be short (107 bytes).
    with tempfile.TemporaryDirectory(prefix="plt-") as folder:
        made = Daemon(Path(folder, "d"), f"plt{os.getpid()}", live_restore=request.param)
        try:
            made.start()
            made.load(archive)
            yield made
        finally:
            made.close()
        for place in Path("/sys/fs/cgroup").glob(f"*/plancton-{INSTANCE}"):
            place.rmdir()


class IdleHost(HostSampler):
    """The machine, but what else runs on it is no foreground."""

    def sample(self, now: float) -> HostSample:
        """Measure all but the CPU."""
        return replace(super().sample(now), busy_seconds=0.0)


class House:
    """An engine in this process on the daemon, stepped by the test."""

    def __init__(self, daemon: Daemon) -> None:
        """Build it."""
        clock, parent = SystemClock(), ParentCgroup(INSTANCE)
        self.runtime = DockerRuntime(daemon.url, INSTANCE, clock, parent, timeout=6)
        pilot = {"command": "sleep 1000", "network": "none", "grace": "1s"}
        spawn = {"maximum": PILOTS, "min_room": 0.3, "short_life": 0}
        self.settings = Settings(
            pilots=[{**pilot, "cpus": 0.3}], spawn=spawn, image={"pull": False}
        )
        self.word = Word()
        self.images = ImagePuller(daemon.url, clock)
        host = IdleHost(parent, lambda: "/")
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


@pytest.fixture
def house(daemon: Daemon) -> Iterator[House]:
    """Return a full house."""
    made = House(daemon)
    made.fill()
    yield made
    made.runtime.close()


def test_daemon_killed_and_restarted(house: House, daemon: Daemon) -> None:
    """Nothing is concluded while it is away; then survivors are adopted and the dead replaced."""
    before = house.alive
    daemon.signal(signal.SIGKILL)
    for _ in range(3):
        house.step()
    assert "does not run at" in house.degraded
    assert house.alive == before
    house.word.value = Mode.STOPPING
    house.step()
    assert not house.engine.finished
    house.word.value = Mode.ACTIVE
    daemon.start()
    after = house.fill()
    assert house.degraded == ""
    assert (after == before) is daemon.live_restore
    assert house.most == PILOTS


def test_daemon_stalled(house: House, daemon: Daemon) -> None:
    """A daemon that accepts and does not answer is said to be stalled, and nothing is doubled."""
    before = house.alive
    daemon.signal(signal.SIGSTOP)
    house.step()
    assert "stalled" in house.degraded
    daemon.signal(signal.SIGCONT)
    assert house.fill() == before
    assert house.most == PILOTS
