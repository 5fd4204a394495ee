"""From a profile to what Docker is asked to create. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from plancton.config.schema import Profile
from plancton.engine.model.cpu_list import format_cpu_list
from plancton.engine.model.node import Limit
from plancton.engine.model.spare import spec_hash
from plancton.runtime.docker.limits import without
from plancton.runtime.job_features import HINTS_TMPFS

PREFIX = "io.plancton."
INSTANCE = PREFIX + "instance"
NAME = PREFIX + "name"
PROFILE = PREFIX + "profile"
DEADLINE = PREFIX + "deadline"
TTL = PREFIX + "ttl"
CPUS = PREFIX + "cpus"
CPU_LIMIT = PREFIX + "cpu_limit"
GRACE = PREFIX + "grace"
MEMORY = PREFIX + "memory"
DISK = PREFIX + "disk"
CLOCK = PREFIX + "clock"
SPEC = PREFIX + "spec"
SPARE = PREFIX + "spare"
VERSION = PREFIX + "version"

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
"""How mounts below a bind mount spread (mount(8))."""
_PERIOD = 100_000
"""Microseconds over which a quota counts."""
_WEIGHT = 1024
"""CPU weight of a container of which nothing is said, and of a pilot for each core."""


def labels_for(
    profile: Profile, *, name: str, instance: str, wall: float, boot: float, version: str
) -> dict[str, str]:
    """Return a new pilot's labels. All that is needed to manage it stands in them.

    *name* is the container's: an image made of the pilot (docker commit) carries the labels on to
    containers of other names, which are none of ours.
    *wall* and *boot* are now on both clocks; their difference, ``clock``, lets Docker's stamps
    be put on the boot clock whatever steps the wall clock makes later.
    """
    return {
        INSTANCE: instance,
        NAME: name,
        PROFILE: profile.name,
        DEADLINE: f"{wall + profile.ttl:.3f}",
        TTL: f"{profile.ttl:.3f}",
        CPUS: f"{profile.cpus:g}",
        CPU_LIMIT: cpu_limit_text(profile.most_cores),
        GRACE: f"{profile.grace:g}",
        MEMORY: f"{profile.memory}",
        DISK: f"{profile.disk}",
        CLOCK: f"{wall - boot:.3f}",
        SPEC: spec_hash(profile),
        VERSION: version,
    }


def cpu_limit_text(cores: float) -> str:
    """Return the most cores that a pilot may use as its label has them."""
    return "none" if math.isinf(cores) else f"{cores:g}"


def quota_of(cores: float) -> dict[str, int]:
    """Return the CPU quota that lets a container use so many cores; infinite: none."""
    if math.isinf(cores):
        return {}
    return {"CpuPeriod": _PERIOD, "CpuQuota": int(cores * _PERIOD)}


def held_to(host_config: Mapping[str, Any]) -> float | None:
    """Return the cores that a container's HostConfig lets it use; infinite: it has no quota."""
    quota, period = host_config.get("CpuQuota"), host_config.get("CpuPeriod")
    if not isinstance(quota, int) or not isinstance(period, int):
        return None
    return quota / (period or _PERIOD) if quota > 0 else math.inf


def container_spec(
    profile: Profile,
    *,
    labels: Mapping[str, str],
    parent: str | None,
    low_weight: bool,
    oom_score_adj: int,
    disk_quota: bool = False,
    image: str = "",
    env: Mapping[str, str] | None = None,
    binds: Iterable[str] = (),
    unenforced: frozenset[Limit] = frozenset(),
    cpus: tuple[int, ...] = (),
    held_to: float | None = None,
) -> dict[str, Any]:
    """Return the body of ``POST /containers/create`` (Docker Engine API 1.41).

    *image*, *env* and *binds* are what a pilot gets beside its profile; limits that are
    *unenforced* here are not asked for. The CPU limit is a quota over a period, never NanoCpus:
    those cannot be changed later. It lets a pilot use the cores that it is *held_to*, None: those
    promised. *disk_quota*: the storage driver can enforce the bound on the pilot's disk. It is
    bound to the *cpus*, if there are any.
    """
    spec: dict[str, Any] = {
        "Image": image or profile.image,
        "User": profile.user,
        "Env": [f"{key}={value}" for key, value in {**(env or {}), **profile.env}.items()],
        "Labels": dict(labels),
        "HostConfig": without(
            _host_config(
                profile,
                binds=binds,
                parent=parent,
                low_weight=low_weight,
                oom_score_adj=oom_score_adj,
                disk_quota=disk_quota,
                cpus=cpus,
                held_to=profile.cpus if held_to is None else held_to,
            ),
            unenforced,
        ),
    }
    if profile.command:
        spec["Cmd"] = list(profile.command)
    return spec


def _host_config(
    profile: Profile,
    *,
    binds: Iterable[str],
    parent: str | None,
    low_weight: bool,
    oom_score_adj: int,
    disk_quota: bool,
    cpus: tuple[int, ...],
    held_to: float,
) -> dict[str, Any]:
    log_config = {"max-size": f"{profile.log_size}", "max-file": "1"}
    host: dict[str, Any] = {
        **quota_of(held_to),
        "Memory": profile.memory,
        "MemorySwap": profile.memory + profile.swap,
        "OomScoreAdj": oom_score_adj,
        "NetworkMode": profile.network,
        "Mounts": [_mount(bind) for bind in profile.binds if is_mount(bind)],
        "Binds": [*(_bind(bind) for bind in profile.binds if not is_mount(bind)), *binds],
        "Tmpfs": {**HINTS_TMPFS, **profile.tmpfs} if profile.features else dict(profile.tmpfs),
        "Devices": [_device(device) for device in profile.devices],
        "CapAdd": list(profile.cap_add),
        "CapDrop": list(profile.cap_drop),
        "SecurityOpt": list(profile.security_opt),
        "Privileged": profile.privileged,
        "ReadonlyRootfs": profile.read_only,
        "Init": profile.init,
        "Ulimits": _ulimits(profile),
        "LogConfig": {"Type": "json-file", "Config": log_config},
        "RestartPolicy": {"Name": "no"},
    }
    if profile.pids > 0:
        host["PidsLimit"] = profile.pids
    if disk_quota and profile.disk:
        host["StorageOpt"] = {"size": f"{profile.disk}"}
    if cpus:
        host["CpusetCpus"] = format_cpu_list(cpus)
    if parent is not None:
        host["CgroupParent"] = parent
    weight = 2 if low_weight else _weight(profile.cpus)
    if weight != _WEIGHT:
        host["CpuShares"] = weight
    return host


def _weight(cpus: float) -> int:
    """Return the weight that gives a pilot its promise beside others that may use more."""
    return min(262_144, max(2, round(_WEIGHT * cpus)))


def _ulimits(profile: Profile) -> list[dict[str, Any]]:
    return [
        {"Name": name, "Soft": limit.soft, "Hard": limit.hard}
        for name, limit in profile.ulimits.items()
    ]


def bind_parts(bind: str) -> tuple[str, str, list[str]]:
    """Return source, target and options of a bind mount."""
    source, target, *options = bind.split(":")
    return source, target, [each for part in options for each in part.split(",") if each]


def is_mount(bind: str) -> bool:
    """Say whether a bind mount can be asked for as a mount, whose source must exist.

    Docker makes the missing source of a bind, as root. But only binds can be relabelled for
    SELinux (z, Z), and what is no path is the name of a volume.
    """
    source, _, options = bind_parts(bind)
    modes, spreads = set(options) & {"ro", "rw"}, set(options) & set(PROPAGATIONS)
    plain = len(modes) <= 1 and len(spreads) <= 1 and set(options) == modes | spreads
    return source.startswith("/") and plain  # whatever else there is, Docker judges


def _mount(bind: str) -> dict[str, Any]:
    source, target, options = bind_parts(bind)
    mount: dict[str, Any] = {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": "rw" not in options,
    }
    for spread in set(options) & set(PROPAGATIONS):
        mount["BindOptions"] = {"Propagation": spread}
    return mount


def _bind(bind: str) -> str:
    """Make a bind mount read-only unless its options ask for rw."""
    source, target, chosen = bind_parts(bind)
    if "rw" not in chosen and "ro" not in chosen:
        chosen.append("ro")
    return f"{source}:{target}:{','.join(chosen)}"


def _device(device: str) -> dict[str, str]:
    host, *rest = device.split(":")
    return {
        "PathOnHost": host,
        "PathInContainer": rest[0] if rest else host,
        "CgroupPermissions": rest[1] if len(rest) > 1 else "rwm",
    }
