"""An engine that is stepped by hand, behind a served control socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from plancton.config.load import load_text
from plancton.control.broadcast import Broadcaster
from plancton.control.client import RemoteEngine
from plancton.control.server import ControlServer
from plancton.runtime.docker.engine_url import EngineUrl
from plancton.service.container_engines.docker import DockerEngine
from plancton.service.local_engine import LocalEngine
from plancton.service.marker_files import MarkerFiles
from tests.scenario.rig import Rig

STEP_TIMEOUT = 2.0
"""Seconds a client has for each step."""


@dataclass
class Stage:
    """An engine stepped by hand, its handle here, and the handle behind a socket."""

    rig: Rig
    local: LocalEngine
    remote: RemoteEngine
    orders: MarkerFiles
    broadcaster: Broadcaster
    path: Path
    server: ControlServer

    def tick(self) -> None:
        """Do what was asked, as the engine's thread would."""
        self.rig.engine.turn(0)
        self.rig.node.advance(0.5)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Return a node with two pilots behind a served socket."""
    rig, broadcaster, orders = Rig(2), Broadcaster(keepalive=0.2), MarkerFiles(tmp_path)
    rig.engine.subscribers = (rig.seen.append, broadcaster)
    rig.engine.ports = type(rig.engine.ports)(
        rig.node, rig.node, rig.node, rig.settings, orders, rig.node, rig.node
    )
    local = LocalEngine(
        rig.engine,
        orders,
        broadcaster,
        DockerEngine(EngineUrl("unix:///nonexistent.sock")).output,
        build_config=lambda text, **_: load_text(text, "the candidate").config,
    )
    path = tmp_path / "plancton.sock"
    server = ControlServer(path, local, timeout=STEP_TIMEOUT)
    server.prepare()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    made = Stage(rig, local, RemoteEngine(path), orders, broadcaster, path, server)
    yield made
    broadcaster.close_streams()
    server.stop()
    thread.join(10)
    assert not path.exists()
