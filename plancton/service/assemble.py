"""Put an engine and its helpers together for this node."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plancton import __version__
from plancton.config.config_file import ConfigFile
from plancton.config.node_rules import host_name
from plancton.config.schema import Config
from plancton.control.broadcast import Broadcaster
from plancton.engine.loop import Engine
from plancton.engine.ports import Images, Monitor, NoMonitor, Ports
from plancton.engine.snapshot_builder import Identity
from plancton.engine.views.snapshot import Snapshot
from plancton.monitor.publisher import MetricsPublisher
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import docker_url
from plancton.runtime.docker.events import EventListener
from plancton.runtime.docker.images import ImagePuller
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.host import HostSampler
from plancton.runtime.job_features import JobFeatures
from plancton.service.instance import instance_of
from plancton.service.local_engine import LocalEngine
from plancton.service.marker_files import MarkerFiles
from plancton.service.process import logs
from plancton.service.process.clock import SystemClock
from plancton.service.process.daemon import pidfile
from plancton.service.process.lock import Lock
from plancton.service.process.paths import Paths, default_paths
from plancton.service.process.supervisor import ThreadSupervisor
from plancton.service.remote_config.follow import RemoteFile
from plancton.service.state_file import StateFile

log = logging.getLogger("plancton")


@dataclass(frozen=True, slots=True)
class Assembly:
    """An engine with the threads that serve it."""

    engine: Engine
    events: EventListener
    images: ImagePuller
    remote: RemoteFile
    sinks: MetricsPublisher
    broadcaster: Broadcaster
    local: LocalEngine
    socket: Path

    def start(self, supervisor: ThreadSupervisor) -> None:
        """Start the helpers' threads."""
        supervisor.start("events", self.events.run)
        supervisor.start("images", self.images.run)
        supervisor.start("remote", self.remote.run)
        supervisor.start("metrics", self.sinks.run)

    def stop(self) -> None:
        """Ask the helpers to end."""
        self.events.stop()
        self.images.stop()
        self.remote.stop()
        self.sinks.stop()


def node_name(config: Config) -> str:
    """Return the node's name: as configured, else the fully qualified host name."""
    return config.node.name or host_name()


def instance_lock(instance: str, url: str, *, named: bool = True) -> Lock:
    """Return the lock of an instance on one Docker Engine, the same for every run directory."""
    mark = hashlib.sha256(url.encode()).hexdigest()[:8]
    return Lock(default_paths().rundir / f"instance-{instance}-{mark}.lock", named=named)


@dataclass(frozen=True, slots=True)
class Claim:
    """What this process alone manages: the instance on the engine at the URL."""

    source: ConfigFile
    remote: RemoteFile
    instance: str
    url: str


def in_force(paths: Paths) -> Config:
    """Return what a start without network would run by: the local file over the last good remote.

    Raises ConfigError.
    """
    alone = ConfigFile(paths.config, must_exist=paths.asked_for_config).first().config
    remote = RemoteFile(paths.remote(instance_of(alone)), SystemClock())
    return ConfigFile(paths.config, remote=remote).first().config


@contextmanager
def claimed(paths: Paths, *, named: bool = True) -> Iterator[Claim]:
    """Yield a claim on the run directory and the instance.

    Not *named*, it is for a moment: who starts an engine waits for its end.
    Raises LockedError if another process has either, ConfigError, OSError.
    """
    # What says who we are is the local file's alone, so it is known before anything is fetched.
    alone = ConfigFile(paths.config, must_exist=paths.asked_for_config).first().config
    instance = instance_of(alone)
    remote = RemoteFile(paths.remote(instance), SystemClock())
    source = ConfigFile(paths.config, must_exist=paths.asked_for_config, remote=remote)
    source.first()
    claim = Claim(source, remote, instance, docker_url(alone.node.docker))
    with (
        Lock(paths.lock, named=named),
        instance_lock(claim.instance, claim.url, named=named),
    ):
        yield claim


@contextmanager
def locked_assembly(
    paths: Paths, log_level: str, *, detached: bool = False, screen: bool = False
) -> Iterator[Assembly]:
    """Yield an assembly that alone owns its run directory and its instance.

    *detached*: stderr is nobody's, so only the file is logged to, and there is a PID file.
    *screen*: the terminal shows something else, so it is never logged to.

    Raises LockedError, ConfigError (only where no good configuration exists), OSError.
    """
    with claimed(paths) as claim:
        shown = logs.Stderr.NEVER if screen else logs.Stderr(not detached)
        trouble = logs.set_up(log_level, paths.log, shown)
        if trouble:
            log.warning("no log file", extra={"fields": {"error": trouble}})
        with pidfile(paths.pid if detached or paths.pidfile else None):
            parts = assemble(claim, paths)
            monitor = claim.source.current().config.monitor
            if monitor.require_at_start:
                parts.sinks.write_start_event(monitor, __version__)
            yield parts


def assemble(claim: Claim, paths: Paths) -> Assembly:
    """Build the engine and its helpers; nothing runs yet."""
    config = claim.source.current().config
    images = ImagePuller(claim.url, SystemClock(), config.image.docker_config)
    broadcaster = Broadcaster()
    sinks = MetricsPublisher(node_name(config), claim.instance, paths.statedir)
    engine = build_engine(claim, paths, images, broadcaster, monitor=sinks)
    orders = MarkerFiles(paths.rundir)
    local = LocalEngine(
        engine,
        orders,
        broadcaster,
        claim.url,
        candidate=claim.source.candidate,
        reload=claim.remote.look,
    )
    images.on_change = engine.wake
    claim.remote.on_change = engine.reload
    events = EventListener(claim.url, claim.instance, engine.wake)
    fields = {
        "version": __version__,
        "node": engine.identity.node,
        "instance": claim.instance,
        "docker": claim.url,
        "uid": os.geteuid(),
        "rundir": paths.rundir,
    }
    log.info("Plancton starts", extra={"fields": fields})
    return Assembly(engine, events, images, claim.remote, sinks, broadcaster, local, paths.socket)


def build_engine(
    claim: Claim,
    paths: Paths,
    images: Images,
    *subscribers: Callable[[Snapshot], None],
    monitor: Monitor | None = None,
) -> Engine:
    """Build an engine on the real node."""
    source, instance = claim.source, claim.instance
    clock, parent, orders = SystemClock(), ParentCgroup(instance), MarkerFiles(paths.rundir)
    name = node_name(source.current().config)
    runtime = DockerRuntime(
        claim.url,
        instance,
        clock,
        parent,
        oom_score_adj=lambda: source.current().config.protect.oom_score_adj,
        features=JobFeatures(paths.features),
        node=name,
    )
    host = HostSampler(parent, lambda: runtime.data_root)
    state_store = StateFile(paths.memory(instance))
    identity = Identity(name, instance, __version__, os.getpid(), clock.wall())
    ports = Ports(runtime, host, images, source, orders, clock, state_store, monitor or NoMonitor())
    return Engine(ports, identity, subscribers)
