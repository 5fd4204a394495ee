"""Look at everything Plancton needs on a node, and say how to mend what is wrong."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker.errors

from plancton.cli.doctor.apptainer import check_apptainer, uses_apptainer
from plancton.cli.doctor.check import Check
from plancton.cli.doctor.docker_warnings import check_docker_warnings
from plancton.cli.doctor.memory import check_frozen_memory
from plancton.cli.doctor.mounts import check_mounts
from plancton.cli.doctor.rootless import check_rootless
from plancton.cli.doctor.scheduler import check_idle_core_search
from plancton.cli.render import table
from plancton.config.load import ConfigError, load
from plancton.config.schema import Config
from plancton.config.units import format_size
from plancton.engine.model.node import Limit
from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime import idle_core_search
from plancton.runtime.cgroup import ParentCgroup
from plancton.runtime.docker.client import DockerClient, translate_errors
from plancton.runtime.docker.data_root import data_root
from plancton.runtime.docker.engine_url import DEFAULT_URL, EngineUrl
from plancton.runtime.docker.image_remover import image_id
from plancton.runtime.docker.limits import unenforced_limits
from plancton.runtime.docker.runtime import DockerRuntime
from plancton.runtime.docker.timestamps import epoch_of
from plancton.service.container_engines import engine_url
from plancton.service.instance import instance_name
from plancton.service.locked_instance import offline_config
from plancton.service.process.clock import SystemClock
from plancton.service.process.lock import holder
from plancton.service.process.paths import Paths

_LEAST_DISK = 2_000_000_000
_MOST_SKEW = 5.0


def check_node(paths: Paths) -> list[Check]:
    """Check everything; never raises for what it finds."""
    config, first = _config(paths)
    checks = [first, _rundir(paths), _lock(paths)]
    if uses_apptainer(config, paths):
        return [*checks, *check_apptainer(config, paths), *_kernel()]
    parent = ParentCgroup(instance_name(config))
    url = EngineUrl(DEFAULT_URL)
    try:
        url = engine_url(config.node, paths)
        runtime = DockerRuntime(url, instance_name(config), SystemClock(), parent, timeout=10)
        info = runtime.check()
    except RuntimeUnavailableError as error:
        word, _, mend = str(error).partition(": ")
        return [*checks, Check("docker", "FAIL", word, mend), *check_rootless(url), *_kernel()]
    checks += [_docker(url, info), *check_docker_warnings(info)]
    checks += [_cgroup(parent, info), check_limits(info), check_frozen_memory(config, parent)]
    checks += [_time(info), _disk(info)]
    checks += [_image(url, each) for each in sorted({p.image for p in config.pilots})]
    checks += check_mounts(config, info, url)
    return [*checks, *_kernel()]


def report(checks: list[Check]) -> str:
    """Return the checks as a table, and below it how to mend each."""
    rows = table(("CHECK", "", "FOUND"), ((c.what, c.verdict, c.found) for c in checks))
    mends = [f"{check.what}: {check.mend}" for check in checks if check.mend]
    return "\n".join([rows, *(["", "to mend:"] if mends else []), *mends])


def _config(paths: Paths) -> tuple[Config, Check]:
    try:
        loaded = load(paths.config)
    except FileNotFoundError:
        verdict = "FAIL" if paths.asked_for_config else "OK"
        return Config(), Check("config", verdict, f"no {paths.config}: the defaults are in force")
    except ConfigError as error:
        mend = "plancton config check shows every problem"
        return Config(), Check("config", "FAIL", error.summary, mend)
    kind = "of 0.6.0" if loaded.legacy else "native"
    remarks = f", {len(loaded.warnings)} warnings" if loaded.warnings else ""
    return offline_config(paths), Check("config", "OK", f"{paths.config}, {kind}{remarks}")


def _rundir(paths: Paths) -> Check:
    place: Path = paths.rundir
    while not place.exists():
        place = place.parent
    if os.access(place, os.W_OK):
        return Check("run directory", "OK", f"{paths.rundir}")
    mend = f"run as its owner, or create it: mkdir -p {paths.rundir} && chown $USER {paths.rundir}"
    return Check("run directory", "FAIL", f"no right to write {place}", mend)


def _lock(paths: Paths) -> Check:
    pid = holder(paths.lock)
    return Check("engine", "OK", f"runs, process {pid}" if pid else "does not run")


def _docker(url: EngineUrl, info: Mapping[str, Any]) -> Check:
    named = f", named by {url.source}" if url.source else ""
    return Check("docker", "OK", f"Engine {info.get('ServerVersion')} at {url}{named}")


def _cgroup(parent: ParentCgroup, info: Mapping[str, Any]) -> Check:
    world = f"cgroup v{info.get('CgroupVersion', '1')}, {info.get('CgroupDriver')} driver"
    verdict = "WARN" if parent.protection.incomplete else "OK"
    return Check("protection", verdict, f"{parent.protection.value} ({world})", parent.note)


def check_limits(info: Mapping[str, Any]) -> Check:
    """Say which limits of pilots the kernel does not enforce."""
    unenforced = unenforced_limits(info)
    if not unenforced:
        return Check("limits", "OK", f"{', '.join(Limit)} of pilots are enforced")
    names = ", ".join(limit for limit in Limit if limit in unenforced)
    mend = "plancton status says of each what holds instead, and how to turn it on"
    return Check("limits", "WARN", f"{names} of pilots are not enforced by this kernel", mend)


def _time(info: Mapping[str, Any]) -> Check:
    theirs = epoch_of(str(info.get("SystemTime")))
    skew = abs(time.time() - theirs) if theirs else 0.0
    if skew <= _MOST_SKEW:
        return Check("time", "OK", f"Docker's clock and ours agree within {_MOST_SKEW:g} s")
    mend = "set the clock (timedatectl set-ntp true): times to live are counted by Docker's stamps"
    return Check("time", "WARN", f"Docker's clock differs by {skew:.0f} s", mend)


def _disk(info: Mapping[str, Any]) -> Check:
    root = data_root(info)
    try:
        free = shutil.disk_usage(root).free
    except OSError as error:
        return Check("disk", "WARN", f"{root}: {error.strerror}", "run as root to see it")
    verdict = "OK" if free >= _LEAST_DISK else "WARN"
    mend = "" if verdict == "OK" else "free some: docker system df shows what takes it"
    return Check("disk", verdict, f"{format_size(free)} free in {root}", mend)


def _image(url: str, reference: str) -> Check:
    try:
        with translate_errors(url):
            client = DockerClient(url, timeout=10)
            found = image_id(client, reference)
            client.close()
    except (RuntimeUnavailableError, docker.errors.APIError) as error:
        return Check("image", "FAIL", f"{reference}: {error}")
    if found:
        return Check("image", "OK", f"{reference} is on the node")
    mend = f"docker pull {reference} (plancton does so too, and says why it cannot)"
    return Check("image", "WARN", f"{reference} is not on the node", mend)


def _kernel() -> tuple[Check, Check]:
    return _pressure(), check_idle_core_search(idle_core_search.look())


def _pressure() -> Check:
    there = Path("/proc/pressure/cpu").exists()
    found = "the kernel measures it" if there else "not measured by this kernel"
    return Check("pressure stall", "OK", found)
