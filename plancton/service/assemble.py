"""Put an engine and its helpers together for this node."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
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
from plancton.runtime.docker.disk_meter import DiskMeter
from plancton.runtime.docker.events import EventListener
from plancton.runtime.docker.image_remover import ImageRemover
from plancton.runtime.docker.images import ImagePuller
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.figures.reader import FigureReader
from plancton.runtime.host import HostSampler
from plancton.runtime.job_features import JobFeatures
from plancton.runtime.network.guard import NetworkGuard
from plancton.service.local_engine import LocalEngine
from plancton.service.locked_instance import LockedInstance, lock_instance, node_name
from plancton.service.marker_files import MarkerFiles
from plancton.service.process import logs
from plancton.service.process.clock import SystemClock
from plancton.service.process.daemon import pidfile
from plancton.service.process.lock import Lock
from plancton.service.process.paths import Paths
from plancton.service.process.supervisor import ThreadSupervisor
from plancton.service.remote_config.follow import RemoteConfigFollower
from plancton.service.state_file import PulledImagesFile, StateFile, good_images_of_others

log = logging.getLogger("plancton")


@dataclass(frozen=True, slots=True)
class EngineService:
    """An engine with the threads that serve it."""

    engine: Engine
    events: EventListener
    images: ImagePuller
    disk: DiskMeter
    remote: RemoteConfigFollower
    metrics: MetricsPublisher
    reclaimer: MemoryReclaimer
    network: NetworkGuard
    figures: FigureReader
    broadcaster: Broadcaster
    local_engine: LocalEngine
    socket: Path
    locks: tuple[Lock, Lock]
    markers: MarkerFiles

    def start(self, supervisor: ThreadSupervisor) -> None:
        """Start the helpers' threads."""
        supervisor.start("events", self.events.run)
        supervisor.start("images", self.images.run)
        supervisor.start("disk", self.disk.run)
        supervisor.start("remote", self.remote.run)
        supervisor.start("metrics", self.metrics.run)
        supervisor.start("reclaim", self.reclaimer.run)
        supervisor.start("network", self.network.run)
        supervisor.start("figures", self.figures.run)

    def stop(self) -> None:
        """Ask the helpers to end."""
        self.events.stop()
        self.images.stop()
        self.disk.stop()
        self.remote.stop()
        self.metrics.stop()
        self.reclaimer.stop()
        self.network.stop()
        self.figures.stop()


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
    config = locked.config_file.in_force.config
    clock, state = SystemClock(), paths.state_file(locked.instance)
    pulled = PulledImagesFile(paths.pulled_images(locked.instance), locked.url)
    remover = ImageRemover(locked.url, clock, pulled, lambda: good_images_of_others(state))
    images = ImagePuller(locked.url, clock, config.image.docker_config, remover)
    broadcaster = Broadcaster()
    metrics = MetricsPublisher(node_name(config), locked.instance, paths.statedir)
    disk = DiskMeter(locked.url)
    parent = ParentCgroup(locked.instance)
    reclaimer = MemoryReclaimer(parent)
    network = network_guard(locked)
    figures = FigureReader(clock.now)
    markers = MarkerFiles(paths.rundir, lambda: locked.locks[0].in_place)
    engine = build_engine(
        locked,
        paths,
        images,
        network,
        broadcaster,
        monitor=metrics,
        disk=disk,
        parent=parent,
        reclaimer=reclaimer,
        markers=markers,
        figures=figures,
    )
    local_engine = LocalEngine(
        engine,
        markers,
        broadcaster,
        locked.url,
        build_config=locked.config_file.candidate,
        reload=locked.remote.fetch_now,
    )
    images.on_change = engine.wake
    locked.remote.on_change = engine.reload
    events = EventListener(locked.url, locked.instance, engine.wake)
    fields = {
        "version": __version__,
        "node": engine.identity.node,
        "instance": locked.instance,
        "docker": locked.url,
        "uid": os.geteuid(),
        "rundir": paths.rundir,
    }
    log.info("Plancton starts", extra={"fields": fields})
    return EngineService(
        engine,
        events,
        images,
        disk,
        locked.remote,
        metrics,
        reclaimer,
        network,
        figures,
        broadcaster,
        local_engine,
        paths.socket,
        locked.locks,
        markers,
    )


def network_guard(locked: LockedInstance) -> NetworkGuard:
    """Return what keeps the pilots of an instance to their share of the network."""
    config_file = locked.config_file
    return NetworkGuard(locked.instance, lambda: config_file.in_force.config.protect.network)


def build_engine(
    locked: LockedInstance,
    paths: Paths,
    images: Images,
    network: NetworkGuard,
    *subscribers: Callable[[Snapshot], None],
    monitor: Monitor | None = None,
    disk: DiskMeter | None = None,
    parent: ParentCgroup | None = None,
    reclaimer: MemoryReclaimer | None = None,
    markers: MarkerFiles | None = None,
    figures: Figures | None = None,
) -> Engine:
    """Build an engine on the real node; *reclaimer* is one of the same *parent*."""
    config_file, instance = locked.config_file, locked.instance
    clock, mode_store = SystemClock(), markers or MarkerFiles(paths.rundir)
    parent, name = parent or ParentCgroup(instance), node_name(config_file.in_force.config)
    runtime = DockerRuntime(
        locked.url,
        instance,
        clock,
        parent,
        oom_score_adj=lambda: config_file.in_force.config.protect.oom_score_adj,
        features=JobFeatures(paths.features),
        disk=disk,
        network=network,
        docker_config=config_file.in_force.config.image.docker_config,
        node=name,
        frozen_may_swap=lambda: config_file.in_force.config.protect.memory.reclaim_below != "off",
        use_spares=lambda: config_file.in_force.config.spawn.spare,
    )
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
