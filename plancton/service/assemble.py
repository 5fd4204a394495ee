"""Put an engine and its helpers together for this node."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plancton import __version__
from plancton.control.broadcast import Broadcaster
from plancton.engine.loop import Engine
from plancton.engine.ports import Figures, Images, Monitor, NoFigures, NoMonitor, Ports
from plancton.engine.snapshot_builder import Identity
from plancton.engine.starter import StartPool
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.publisher import MetricsPublisher
from plancton.runtime.cgroup import MemoryReclaimer, ParentCgroup
from plancton.runtime.figures.reader import FigureReader
from plancton.runtime.host import HostSampler
from plancton.runtime.job_features import JobFeatures
from plancton.runtime.network.guard import NetworkGuard
from plancton.service.container_engines import ContainerEngine, Helper, container_engine
from plancton.service.container_engines.port import RuntimeParts
from plancton.service.local_engine import LocalEngine
from plancton.service.locked_instance import LockedInstance, lock_instance, node_name
from plancton.service.marker_files import MarkerFiles
from plancton.service.process import logs
from plancton.service.process.clock import SystemClock
from plancton.service.process.daemon import pidfile
from plancton.service.process.lock import Lock
from plancton.service.process.paths import Paths
from plancton.service.process.supervisor import ThreadSupervisor
from plancton.service.state_file import StateFile

log = logging.getLogger("plancton")


@dataclass(frozen=True, slots=True)
class EngineService:
    """An engine with the threads that serve it."""

    engine: Engine
    metrics: MetricsPublisher
    helpers: Mapping[str, Helper]
    """By the names of their threads."""
    broadcaster: Broadcaster
    local_engine: LocalEngine
    socket: Path
    locks: tuple[Lock, Lock]
    markers: MarkerFiles

    def start(self, supervisor: ThreadSupervisor) -> None:
        """Start the helpers' threads."""
        for name, helper in self.helpers.items():
            supervisor.start(name, helper.run)

    def stop(self) -> None:
        """Ask the helpers to end."""
        for helper in self.helpers.values():
            helper.stop()


@contextmanager
def locked_service(
    paths: Paths, log_level: str, *, detached: bool = False, screen: bool = False
) -> Iterator[EngineService]:
    """Yield a service that alone owns its run directory and its instance.

    *detached*: stderr is nobody's, so only the file is logged to, and there is a PID file.
    *screen*: the terminal shows something else, so it is never logged to.

    Raises LockedError, ConfigError (only where no good configuration exists), OSError.
    """
    with lock_instance(paths) as locked:
        shown = logs.Stderr.NEVER if screen else logs.Stderr(not detached)
        trouble = logs.set_up(log_level, paths.log, shown)
        if trouble:
            log.warning("no log file", extra={"fields": {"error": trouble}})
        with pidfile(paths.pid if detached or paths.pidfile else None):
            service = build_service(locked, paths)
            monitor = locked.config_file.in_force.config.monitor
            if monitor.require_at_start:
                service.metrics.write_start_event(monitor, __version__)
            yield service


def build_service(locked: LockedInstance, paths: Paths) -> EngineService:
    """Build the engine and its helpers; nothing runs yet."""
    config, instance = locked.config_file.in_force.config, locked.instance
    containers = container_engine(locked.url, paths)
    images = containers.images(instance, paths, config)
    metrics = MetricsPublisher(node_name(config), instance, paths.statedir)
    parent = containers.parent(instance)
    reclaimer, network = MemoryReclaimer(parent), network_guard(locked)
    figures, broadcaster = FigureReader(SystemClock().now), Broadcaster()
    markers = MarkerFiles(paths.rundir, lambda: locked.locks[0].in_place)
    engine = build_engine(
        locked,
        paths,
        containers,
        images,
        network,
        broadcaster,
        monitor=metrics,
        parent=parent,
        reclaimer=reclaimer,
        markers=markers,
        figures=figures,
    )
    local_engine = LocalEngine(
        engine,
        markers,
        broadcaster,
        containers.output,
        build_config=locked.config_file.candidate,
        reload=locked.remote.fetch_now,
    )
    images.on_change = engine.wake
    locked.remote.on_change = engine.reload
    fields = {
        "version": __version__,
        "node": engine.identity.node,
        "instance": instance,
        "docker": locked.url,
        "uid": os.geteuid(),
        "rundir": paths.rundir,
    }
    log.info("Plancton starts", extra={"fields": fields})
    helpers = {
        **containers.helpers(instance, engine.wake),
        "images": images,
        "remote": locked.remote,
        "metrics": metrics,
        "reclaim": reclaimer,
        "network": network,
        "figures": figures,
    }
    place = (paths.socket, locked.locks, markers)
    return EngineService(engine, metrics, helpers, broadcaster, local_engine, *place)


def network_guard(locked: LockedInstance) -> NetworkGuard:
    """Return what keeps the pilots of an instance to their share of the network."""
    config_file = locked.config_file
    return NetworkGuard(locked.instance, lambda: config_file.in_force.config.protect.network)


def build_engine(
    locked: LockedInstance,
    paths: Paths,
    containers: ContainerEngine,
    images: Images,
    network: NetworkGuard,
    *subscribers: Callable[[Snapshot], None],
    monitor: Monitor | None = None,
    parent: ParentCgroup | None = None,
    reclaimer: MemoryReclaimer | None = None,
    markers: MarkerFiles | None = None,
    figures: Figures | None = None,
) -> Engine:
    """Build an engine on the real node; *reclaimer* is one of the same *parent*."""
    config_file, instance = locked.config_file, locked.instance
    clock, mode_store = SystemClock(), markers or MarkerFiles(paths.rundir)
    parent, name = parent or containers.parent(instance), node_name(config_file.in_force.config)
    parts = RuntimeParts(
        instance,
        name,
        clock,
        lambda: config_file.in_force.config,
        parent,
        JobFeatures(paths.features),
        network,
    )
    runtime = containers.runtime(parts)
    host = HostSampler(parent, lambda: runtime.data_root, reclaimer, network.share)
    state_store = StateFile(paths.state_file(instance))
    identity = Identity(name, instance, __version__, os.getpid(), clock.wall())
    ports = Ports(
        runtime,
        host,
        images,
        config_file,
        mode_store,
        clock,
        state_store,
        monitor or NoMonitor(),
        figures or NoFigures(),
        starter := StartPool(runtime.starter),
    )
    engine = Engine(ports, identity, subscribers)
    starter.on_end = engine.wake
    return engine
