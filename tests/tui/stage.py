"""A simulated node in some state, with the real engine on it, as a screen sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from plancton.control.broadcast import Broadcaster
from plancton.engine.api import Item, NotRunningError, RefusedError
from plancton.engine.model.node import Protection
from plancton.engine.model.operator import Mode
from plancton.engine.ports import Ports
from plancton.engine.snapshot_builder import Identity
from plancton.engine.views.fleet import Member, by_trouble
from plancton.runtime.docker.engine_url import EngineUrl
from plancton.service.container_engines.docker import DockerEngine
from plancton.service.local_engine import LocalEngine
from plancton.tui.app import PlanctonApp
from tests.scenario.rig import Rig, Settings

CONNECTION = "attached to process 4711"


class Orders:
    """The mode that the operator asked for."""

    def __init__(self) -> None:
        """Start active."""
        self.value = Mode.ACTIVE

    def mode(self) -> Mode:
        """Return it."""
        return self.value

    def order(self, mode: Mode) -> None:
        """Keep it."""
        self.value = mode

    def fulfilled(self, mode: Mode) -> None:
        """Forget it."""
        self.value = Mode.ACTIVE


class CuttableEngine(LocalEngine):
    """An engine whose connection tests may cut."""

    cut = ""
    """Why it is cut off; empty: it is not."""
    output = b"one line\nanother line\n"
    members: tuple[Member, ...] = ()

    def stream(self) -> Iterator[Item]:
        """Yield what the engine says; NotRunningError once it is cut off."""
        for item in self.broadcaster.stream():
            if self.cut:
                break
            yield item
        raise NotRunningError(self.cut or "the engine ended")

    def fleet(self) -> tuple[Member, ...]:
        """Return all nodes; RefusedError if there is none: nothing is reported anywhere."""
        return self.members or super().fleet()

    def logs(self, pilot: str, *, tail: int, follow: bool) -> Iterator[bytes]:
        """Yield what the pilot wrote; RefusedError if it wrote nothing: it has gone."""
        if not self.output:
            raise RefusedError(f"no pilot is called {pilot}")
        yield self.output


class Stage:
    """An engine that is stepped by hand, as the screen holds it."""

    def __init__(self, ncpus: int = 8, **groups: Any) -> None:
        """Build both; nothing has happened yet."""
        self.rig, self.orders, self.broadcaster = (
            Rig(ncpus, **{**groups, "spawn": {"maximum": "ncpus", **groups.get("spawn", {})}}),
            Orders(),
            Broadcaster(keepalive=0.1),
        )
        node = self.rig.node
        node.lifetime = lambda _: 100000.0
        ports = Ports(node, node, node, self.rig.settings, self.orders, node, node, figures=node)
        self.rig.engine.ports = ports
        self.rig.engine.builder.identity = Identity(
            "node7.lab.example", "root", "1.0.0", 4711, node.wall()
        )
        self.rig.engine.subscribers = (self.rig.seen.append, self.broadcaster)
        self.engine = CuttableEngine(
            self.rig.engine,
            self.orders,
            self.broadcaster,
            DockerEngine(EngineUrl("")).output,
            build_config=lambda *_, **__: self.rig.settings.state.config,
        )

    @property
    def settings(self) -> Settings:
        """Return the configuration source."""
        return self.rig.settings

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.rig.node.now() + seconds
        while self.rig.node.now() < end:
            wait = self.rig.engine.turn(0.0, self.rig.node.take_ended())
            if wait is None:
                return
            self.rig.node.advance(min(max(wait, 0.01), end - self.rig.node.now()), to_event=True)

    def tick(self) -> None:
        """Have one tick, and a second pass."""
        self.rig.engine.turn(0.0, self.rig.node.take_ended())
        self.rig.node.advance(1.0)

    def app(self, **options: Any) -> PlanctonApp:
        """Return the program on this stage; its clock stands while the node's does."""
        return PlanctonApp(self.engine, CONNECTION, clock=self.rig.node.wall, **options)


def members(now: float, count: int = 5) -> tuple[Member, ...]:
    """Return a fleet in which some need care."""
    fine = Member("", "root", now - 12, 30, "active", 7, 0, 8, 16, 91.0, 36000, False, "")
    made = [
        replace(fine, node=f"node{n}.lab.example", seen_wall=now - n % 30) for n in range(count)
    ]
    made[1] = replace(made[1], seen_wall=now - 4000, trouble="disk is nearly full")
    made[2] = replace(made[2], down=True, trouble="Docker is away: no such file", running=0)
    made[3] = replace(made[3], mode="draining", running=2, frozen=1)
    return by_trouble(made, now)


PILOT = {"name": "worker", "image": "registry.example/lab/worker:7", "cpus": 1, "ttl": "2h"}
_AWAY = "Docker at unix:///var/run/docker.sock does not answer: no such file"


def brief(*foregrounds: float) -> Stage:
    """Return a node with two kinds of pilots beside a foreground that comes and goes."""
    analysis = {**PILOT, "name": "analysis", "cpus": 0.5, "share": 2}
    stage = Stage(8, pilots=[PILOT, analysis], spawn={"ceiling": 0.9})
    lives = iter([400.0, 700.0, 250.0, 900.0])
    stage.rig.node.lifetime = lambda _: next(lives, 100000.0)
    for foreground in foregrounds or (0.5, 2.0):
        stage.rig.node.foreground = foreground
        stage.run(130)
    return stage


def healthy() -> Stage:
    """Return such a node after a quarter of an hour: some pilots have ended."""
    return brief(0.5, 2.0, 4.5, 1.0, 0.2, 3.0, 1.5)


def draining() -> Stage:
    """Return a node that drains; some pilots have ended."""
    stage = healthy()
    stage.orders.order(Mode.DRAINING)
    for container in list(stage.rig.node.containers.values())[:3]:
        container.lifetime = stage.rig.node.now() - (container.pilot.started_at or 0) + 20
    stage.run(60)
    return stage


def pressure() -> Stage:
    """Return a node whose owner needs it, without the idle class: pilots are frozen."""
    stage = Stage(8, pilots=[PILOT])
    stage.rig.node.protection = Protection.WEIGHT_ONLY
    stage.rig.node.protection_note = "run once as root: plancton bootstrap"
    stage.run(300)
    stage.rig.node.foreground = 6.5
    stage.run(20)
    return stage


def objectives() -> Stage:
    """Return a node whose owner has two objectives: one is violated, one cannot be read."""
    shop = {"name": "shop latency", "command": ["/bin/p99"], "limit": 25, "unit": "ms"}
    queue = {"name": "queue", "command": ["/bin/queue"], "limit": 100}
    stage = Stage(8, pilots=[PILOT], protect={"slo": [shop, queue]})
    stage.rig.node.figures |= {"shop latency": 12.0, "queue": "the command did not end within 2 s"}
    stage.run(300)
    stage.rig.node.figures["shop latency"] = 41.0
    stage.run(50)
    return stage


def docker_away() -> Stage:
    """Return a node whose Docker does not answer any more."""
    stage = healthy()
    stage.rig.node.down = _AWAY
    stage.run(5)
    return stage


def disconnected() -> Stage:
    """Return a node whose service is cut off when the screen is there."""
    return healthy()


def empty() -> Stage:
    """Return a node without pilots, for their image is nowhere."""
    stage = Stage(4, pilots=[PILOT])
    stage.rig.node.missing_images.add(str(PILOT["image"]))
    stage.run(20)
    return stage


def many(count: int = 300) -> Stage:
    """Return a large machine."""
    pilot = {**PILOT, "cpus": 0.25, "memory": "100MB"}
    stage = Stage(
        count // 4, pilots=[pilot], spawn={"maximum": count, "per_tick": count, "min_room": 1.0}
    )
    stage.run(120)
    return stage


STATES = {
    "healthy": healthy,
    "draining": draining,
    "pressure": pressure,
    "objectives": objectives,
    "docker-away": docker_away,
    "disconnected": disconnected,
    "empty": empty,
    "300-pilots": many,
}


async def heard(
    pilot: Pilot[None], app: PlanctonApp, met: Callable[[], object] | None = None
) -> None:
    """Wait until the screen has heard all there is, or until something is *met*, and drew it."""

    def all_there() -> bool:
        return app.snapshot is not None and bool(app.settings) and bool(app.history.levels[0])

    end = time.monotonic() + 20
    while not (met or all_there)():
        assert time.monotonic() < end, "the screen did not hear it"
        await pilot.pause(0.02)
    app.draw()
    await pilot.pause()
    await pilot.pause()
