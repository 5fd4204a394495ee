"""End what is due without a running engine: one that only tidies, until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from plancton.engine.loop import Engine
from plancton.engine.model.node import ImageStatus
from plancton.engine.model.operator import Mode
from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.ports import RuntimeUnavailableError
from plancton.engine.views.snapshot import PilotView
from plancton.service.assemble import build_engine, network_guard
from plancton.service.container_engines import container_engine
from plancton.service.locked_instance import lock_instance
from plancton.service.process import logs
from plancton.service.process.paths import Paths

_POLL_INTERVAL = 0.2


class _NoImages:
    """Nothing is started, so no image is wanted."""

    def configure(
        self, references: frozenset[str], refresh: float, *, pull: bool, keep: int | None
    ) -> None:
        """Do nothing."""

    def missing(self, reference: str) -> None:
        """Do nothing."""

    def refresh(self, reference: str) -> None:
        """Do nothing."""

    def pin(self, ids: frozenset[str]) -> None:
        """Do nothing."""

    def take_removed(self) -> tuple[RemovedImage, ...]:
        """Return nothing."""
        return ()

    def status(self) -> Mapping[str, ImageStatus]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Reaped:
    """What came of it."""

    instance: str
    ended: int
    left: int
    """Pilots of the instance that run on."""
    others: Mapping[str, int]
    """Pilots of other instances that run on the same engine."""


def reap_all(paths: Paths, mode: Mode) -> Reaped:
    """End what *mode* and the pilots' TTL ask for.

    DRAINING ends only what is overdue, ENDING all with their grace, FORCED all at once.
    Raises LockedError if an engine runs, RuntimeUnavailableError if Docker does not.
    """
    with lock_instance(paths, named=False) as locked:
        logs.set_up("info", None)
        network = network_guard(locked)
        containers = container_engine(locked.url, paths)
        engine = build_engine(locked, paths, containers, _NoImages(), network)
        engine.request_mode(max(mode, Mode.DRAINING, key=lambda each: each.rank))
        ended, left = _step_until_done(engine)
        network.apply()  # it holds those that run on, and goes with the last
        engine.save()
        others = dict(containers.running_pilots())
        others.pop(locked.instance, None)
        return Reaped(locked.instance, ended, left, others)


def _step_until_done(engine: Engine) -> tuple[int, int]:
    while True:
        engine.step()
        snapshot = engine.latest
        if snapshot is None or snapshot.degraded:
            raise RuntimeUnavailableError(snapshot.degraded if snapshot else "nothing was seen")
        if (
            engine.builder.failure
            and not engine.finished
            and not any(map(_is_awaited, snapshot.pilots))
        ):
            raise RuntimeUnavailableError(engine.builder.failure)
        busy = engine.state.endings or engine.state.counted_exits
        if engine.finished or not (busy or any(_overdue(p.ttl_left) for p in snapshot.pilots)):
            return len(snapshot.ended), sum(pilot.state == "running" for pilot in snapshot.pilots)
        time.sleep(_POLL_INTERVAL)


def _is_awaited(pilot: PilotView) -> bool:
    """Say whether a pilot will end though nothing else goes well."""
    return pilot.state == "terminating" or (pilot.state != "exited" and _overdue(pilot.ttl_left))


def _overdue(left: float | None) -> bool:
    return left is not None and left <= 0
