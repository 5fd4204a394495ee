"""The instance that one engine alone manages: its configuration and its locks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plancton.config.config_file import ConfigFile
from plancton.config.node_rules import host_name
from plancton.config.schema import Config
from plancton.runtime.docker.engine_url import EngineUrl
from plancton.service.container_engines import engine_url
from plancton.service.instance import instance_name
from plancton.service.process.clock import SystemClock
from plancton.service.process.lock import Lock, note_at
from plancton.service.process.name_lock import NameLock
from plancton.service.process.paths import Paths, default_paths
from plancton.service.remote_config.follow import RemoteConfigFollower


def node_name(config: Config) -> str:
    """Return the node's name: as configured, else the fully qualified host name."""
    return config.node.name or host_name()


def _instance_mark(instance: str, url: str) -> str:
    """Return what names an instance on one container engine, the same for every run directory."""
    return f"instance-{instance}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class LockedInstance:
    """What this process alone manages: the instance on the engine at the URL."""

    config_file: ConfigFile
    remote: RemoteConfigFollower
    instance: str
    url: EngineUrl
    locks: tuple[Lock, Lock]
    """Of the run directory and of the instance, as files."""


def offline_config(paths: Paths) -> Config:
    """Return what a start without network would run by: the local file over the last good remote.

    Raises ConfigError.
    """
    local = ConfigFile(paths.config, must_exist=paths.asked_for_config).first().config
    remote = RemoteConfigFollower(paths.remote_config(instance_name(local)), SystemClock())
    return ConfigFile(paths.config, remote=remote).first().config


@dataclass(frozen=True, slots=True)
class LastInstance:
    """Which instance the engine was of that used a run directory last, as its lock has it."""

    instance: str
    url: str
    config: str
    certs: str = ""


def last_instance(paths: Paths) -> LastInstance | None:
    """Return the instance whose engine used the run directory last, if that is known."""
    try:
        return TypeAdapter(LastInstance).validate_json(note_at(paths.lock))
    except ValidationError:
        return None


@contextmanager
def lock_instance(paths: Paths, *, named: bool = True) -> Iterator[LockedInstance]:
    """Yield the instance, while its lock and that of the run directory are held.

    Not *named*, it is for a moment: who starts an engine waits for its end. Where no configuration
    was asked for, it is the instance whose engine used the run directory last.
    Raises LockedError if another process has either, ConfigError, OSError, and
    RuntimeUnavailableError if nobody can tell where Docker is.
    """
    last = None if named or paths.asked_for_config else last_instance(paths)
    if last is not None:
        paths = replace(paths, config=Path(last.config))
    # What says who we are is the local file's alone, so it is known before anything is fetched.
    local = ConfigFile(paths.config, must_exist=paths.asked_for_config).first().config
    instance = last.instance if last else instance_name(local)
    remote = RemoteConfigFollower(paths.remote_config(instance), SystemClock())
    config_file = ConfigFile(paths.config, must_exist=paths.asked_for_config, remote=remote)
    config_file.first()
    if last is not None:
        url = EngineUrl(last.url, certs=last.certs)
    else:
        url = engine_url(local.node, paths)
    mark = _instance_mark(instance, url)
    certs = str(url.certificates.folder) if url.certificates else ""
    config = str(paths.config.absolute())
    note = {"instance": instance, "url": url, "config": config, "certs": certs}
    lock = Lock(paths.lock, named=named, note=json.dumps(note) if named else "")
    instance_lock = Lock(default_paths().rundir / f"{mark}.lock", named=named)
    with lock, instance_lock, NameLock(f"plancton/{mark}", instance_lock.path):
        yield LockedInstance(config_file, remote, instance, url, (lock, instance_lock))
