"""Databases, gates, and what reports to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plancton.config.schema import Monitor
from plancton.engine.views.snapshot import EndedPilot, SinkState, Snapshot
from plancton.monitor import delivery_queue
from plancton.monitor.publisher import MetricsPublisher
from plancton.service.process.supervisor import ThreadSupervisor
from tests.conftest import until
from tests.monitor.bulk import BulkServer
from tests.monitor.servers import Gate, InfluxServer, Process
from tests.scenario.rig import Rig


class Reporter:
    """The sinks of a node, and a simulated engine that feeds them."""

    def __init__(self, folder: Path, **monitor: Any) -> None:
        """Start them with this configuration."""
        self.folder, self.supervisor, self.number = folder, ThreadSupervisor(), 0
        self.rig = Rig(4, pilots=[{"name": "a"}, {"name": "b", "cpus": 0.5}])
        self.rig.node.foreground = 1.0
        self.rig.run(90)
        self.sinks = MetricsPublisher("node.example.org", "t", folder)
        self.configure(**monitor)
        self.supervisor.start("metrics", self.sinks.run)
        self.stopped = False

    def configure(self, **monitor: Any) -> None:
        """Put another configuration into force."""
        self.sinks.configure(Monitor.model_validate({"interval": 1, **monitor}))

    def snapshot(self) -> Snapshot:
        """Publish the next snapshot."""
        self.rig.run(5)
        made = replace(self.rig.latest, node=self.sinks.node, instance=self.sinks.instance)
        self.sinks.publish(made)
        return made

    def ends(self, count: int) -> None:
        """Let pilots end; each is one point in ``plancton_exit`` and one in ``container``."""
        until(self.sinks.status)
        for _ in range(count):
            self.number += 1
            wall = self.rig.node.wall() + self.number / 1e3
            self.sinks.publish(
                EndedPilot(
                    id=f"{self.number:064x}",
                    name=f"plancton-a-{self.number:06d}",
                    profile="a",
                    exit_code=0,
                    oom_killed=False,
                    lifetime=60.0,
                    reason="it exited with code 0 after 1 min",
                    log="",
                    ended_wall=wall,
                    code="exited",
                    core_seconds=12.5,
                )
            )
        until(lambda: not self.sinks._events)

    @property
    def state(self) -> SinkState:
        """How it stands with the only target."""
        (state,) = self.sinks.status()
        return state

    def sends(self, seconds: float = 20) -> SinkState:
        """Publish until all is sent."""
        until(self.sinks.status)

        def empty() -> bool:
            self.snapshot()
            return not self.state.queued and not self.state.error and self.state.sent > 0

        until(empty, seconds, 0.3)
        return self.state

    def fails(self, seconds: float = 20) -> SinkState:
        """Publish until it is seen to fail."""
        until(self.sinks.status)

        def failing() -> bool:
            self.snapshot()
            return bool(self.state.error)

        until(failing, seconds, 0.3)
        return self.state

    def stop(self) -> None:
        """End it; nothing died."""
        if not self.stopped:
            self.stopped = True
            self.sinks.stop()
            assert not self.supervisor.failure


@pytest.fixture
def reporter(tmp_path: Path) -> Iterator[Callable[..., Reporter]]:
    """Return what starts a reporter; it is stopped afterwards."""
    with ExitStack() as stack:

        def start(**monitor: Any) -> Reporter:
            folder = tmp_path / "state"
            made = Reporter(folder, **monitor)
            stack.callback(made.stop)
            return made

        yield start


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again after parts of a second."""
    monkeypatch.setattr(delivery_queue, "_FIRST_RETRY", 0.1)
    monkeypatch.setattr(delivery_queue, "_LONGEST_RETRY", 0.4)


@pytest.fixture
def run() -> Iterator[Callable[[Process], None]]:
    """Return what starts a server; it is killed afterwards."""
    with ExitStack() as stack:

        def start(server: Process) -> None:
            stack.callback(server.kill)
            server.start()

        yield start


@pytest.fixture
def influx(tmp_path: Path, run: Callable[[Process], None]) -> InfluxServer:
    """Return a running database."""
    server = InfluxServer(tmp_path / "influx")
    run(server)
    return server


@pytest.fixture
def gate() -> Iterator[Callable[[int], Gate]]:
    """Return what puts a gate before a port."""
    with ExitStack() as stack:

        def open_(port: int) -> Gate:
            made = Gate(port)
            stack.callback(made.close)
            return made

        yield open_


@pytest.fixture
def bulk() -> Iterator[Callable[..., BulkServer]]:
    """Return what starts a stand-in for Elasticsearch."""
    with ExitStack() as stack:

        def start(**options: str) -> BulkServer:
            made = BulkServer(**options)
            stack.callback(made.close)
            return made

        yield start
