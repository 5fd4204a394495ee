"""The instance that one engine alone manages: its configuration and its locks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from plancton.config.config_file import ConfigFile
from plancton.config.node_rules import host_name
from plancton.config.schema import Config
from plancton.runtime.docker.client import docker_url
from plancton.service.instance import instance_name
from plancton.service.process.clock import SystemClock
from plancton.service.process.lock import Lock
from plancton.service.process.paths import Paths, default_paths
from plancton.service.remote_config.follow import RemoteConfigFollower


def node_name(config: Config) -> str:
    """Return the node's name: as configured, else the fully qualified host name."""
    return config.node.name or host_name()


def _engine_lock(instance: str, url: str, *, named: bool) -> Lock:
    """Return the lock of an instance on one Docker Engine, the same for every run directory."""
    mark = hashlib.sha256(url.encode()).hexdigest()[:8]
    return Lock(default_paths().rundir / f"instance-{instance}-{mark}.lock", named=named)


@dataclass(frozen=True, slots=True)
class LockedInstance:
    """What this process alone manages: the instance on the engine at the URL."""

    config_file: ConfigFile
    remote: RemoteConfigFollower
    instance: str
    url: str


def offline_config(paths: Paths) -> Config:
    """Return what a start without network would run by: the local file over the last good remote.

    Raises ConfigError.
    """
    local = ConfigFile(paths.config, must_exist=paths.asked_for_config).first().config
    remote = RemoteConfigFollower(paths.remote_config(instance_name(local)), SystemClock())
    return ConfigFile(paths.config, remote=remote).first().config


@contextmanager
def lock_instance(paths: Paths, *, named: bool = True) -> Iterator[LockedInstance]:
    """Yield the instance, while its lock and that of the run directory are held.

    Not *named*, it is for a moment: who starts an engine waits for its end.
    Raises LockedError if another process has either, ConfigError, OSError.
    """
    # What says who we are is the local file's alone, so it is known before anything is fetched.
    local = ConfigFile(paths.config, must_exist=paths.asked_for_config).first().config
    instance = instance_name(local)
    remote = RemoteConfigFollower(paths.remote_config(instance), SystemClock())
    config_file = ConfigFile(paths.config, must_exist=paths.asked_for_config, remote=remote)
    config_file.first()
    locked = LockedInstance(config_file, remote, instance, docker_url(local.node.docker))
    with (
        Lock(paths.lock, named=named),
        _engine_lock(locked.instance, locked.url, named=named),
    ):
        yield locked
