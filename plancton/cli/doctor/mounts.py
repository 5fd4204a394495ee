"""The doctor's look at what pilots share with the node, at CVMFS and at FUSE.

``gather`` looks, ``judge`` is pure.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plancton.cli.doctor.check import Check
from plancton.cli.doctor.fuse import Kernel, fuse_checks, may_mount
from plancton.config.schema import Config, Profile
from plancton.runtime import fuse
from plancton.runtime.docker.container_spec import bind_parts
from plancton.runtime.mounts import Mount, mount_of, parse_mountinfo, within
from plancton.runtime.path_probe import PathProbe, ProbeError

CVMFS = "/cvmfs"
_SLAVE, _SHARED = ("slave", "rslave"), ("shared", "rshared")
_GONE, _HUNG = "it is not there", "it does not answer"
_DEAD = "Transport endpoint is not connected"


@dataclass(frozen=True, slots=True)
class Place:
    """A path of the node: where it leads, and why it cannot be used (empty: it can)."""

    real: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class MountFacts:
    """What the node is like."""

    mounts: tuple[Mount, ...]
    """As this process sees them."""
    engine_mounts: tuple[Mount, ...]
    """As Docker sees them, which may have a mount namespace of its own."""
    places: Mapping[str, Place]
    """Every source of a bind."""
    client: bool
    """The CVMFS client is installed."""
    kernel: Kernel


def check_mounts(config: Config, info: Mapping[str, Any], url: str) -> list[Check]:
    """Check what the pilots' binds and devices need; *info* is of the engine at *url*."""
    if any(_concerns(profile) for profile in config.pilots):
        if url.startswith("unix://") and os.path.isdir(info.get("DockerRootDir") or ""):  # noqa: PTH112 (no right to look is no)
            return judge(config, gather(config, info, url))
        mend = "run plancton doctor on the node itself, outside of containers"
        return [Check("bind", "WARN", "the node's mounts are not seen from here", mend)]
    return []


def gather(config: Config, info: Mapping[str, Any], url: str) -> MountFacts:
    """Gather what the checks need."""
    own = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    confined = any("name=apparmor" in each for each in info.get("SecurityOptions") or ())
    sources = {source for profile in config.pilots for source, _, _ in _bound(profile)}
    return MountFacts(
        mounts=parse_mountinfo(own),
        engine_mounts=parse_mountinfo(_engine_mountinfo(url) or own),
        places={source: _place(source) for source in sources},
        client=shutil.which("cvmfs2") is not None,
        kernel=Kernel(fuse.module(), _place(fuse.DEVICE).trouble, confined),
    )


def _engine_mountinfo(url: str) -> str:
    """Return Docker's own view, found by the PID file beside its socket; empty: not found."""
    try:
        pid = Path(url.removeprefix("unix://")).with_suffix(".pid").read_text().strip()
        return Path("/proc", pid, "mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return ""


def _place(path: str) -> Place:
    probe = PathProbe()
    try:
        found = probe.look([path])[path]
    except ProbeError:
        return Place(path, _HUNG)
    finally:
        probe.close()
    if found.errno in (errno.EACCES, errno.EPERM):  # it is there, and Docker may look
        return Place(found.real)
    return Place(found.real, _GONE if found.errno == errno.ENOENT else found.trouble)


# --- judging ------------------------------------------------------------------------------


def judge(config: Config, facts: MountFacts) -> list[Check]:
    """Return the checks, each once however many profiles need it."""
    found = [
        check
        for profile in config.pilots
        for part in (_binds(profile, facts), fuse_checks(profile, facts.kernel))
        for check in part
    ]
    return list(dict.fromkeys(found))


def _concerns(profile: Profile) -> bool:
    return fuse.is_used_by(profile) or any(_bound(profile))


def _bound(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Yield source, target and propagation of what is bound of the node."""
    for bind in profile.binds:
        source, target, options = bind_parts(bind)
        spread = next((each for each in options if each in (*_SLAVE, *_SHARED)), "")
        if source.startswith("/"):
            yield source, target, spread


def _binds(profile: Profile, facts: MountFacts) -> Iterator[Check]:
    for source, target, spread in _bound(profile):
        if spread or within(source, CVMFS) or facts.places[source].trouble:
            yield _bind(profile, source, target, spread, facts)
        if within(source, CVMFS):
            yield _client(facts)


def _bind(profile: Profile, source: str, target: str, spread: str, facts: MountFacts) -> Check:
    place, slave = facts.places[source], f"bind it as {source}:{target}:rslave"
    if place.trouble:
        return Check("bind", "FAIL", f"{source}: {place.trouble}", _mend(source, place))
    if not spread:
        found = f"{source} is private: pilots do not see what is mounted there after their start"
        return Check("bind", "WARN", found, slave)
    mount = mount_of(place.real, facts.engine_mounts)
    if not (mount.shared or (mount.slave and spread in _SLAVE)):
        found = (
            f"{source} ({spread}) lies on {mount.point}, which is not shared: no pilot can start"
        )
        return Check("bind", "FAIL", found, _share(mount_of(place.real, facts.mounts)))
    if spread in _SHARED and may_mount(profile):
        found = f"{source} ({spread}): what a pilot mounts there is left on the node by its end"
        return Check("bind", "WARN", found, slave)
    return Check("bind", "OK", f"{source} ({spread}) lies on {mount.point}, which is shared")


def _mend(source: str, place: Place) -> str:
    if place.trouble == _DEAD:
        return f"its FUSE process has died: umount -l {source}, and mount it again"
    if place.trouble == _HUNG:
        return "see whether its server or its FUSE process is well"
    if place.trouble == _GONE:
        client = "install the CVMFS client (package cvmfs), then cvmfs_config setup"
        return (
            client if within(source, CVMFS) else f"mkdir -p {source}, or mount what belongs there"
        )
    return ""


def _share(mount: Mount) -> str:
    """Say how what is mounted below a mount reaches Docker; *mount* is as we see it."""
    if mount.shared:
        unit = "[Service] MountFlags=shared PrivateMounts=no"
        return f"it is private to Docker: systemctl edit docker ({unit}), systemctl restart docker"
    return f"mount --make-rshared {mount.point} (at each boot; systemd does so for /)"


def _client(facts: MountFacts) -> Check:
    inside = [mount for mount in facts.mounts if within(mount.point, CVMFS)]
    if any(mount.kind == "autofs" for mount in inside):
        return Check("cvmfs", "OK", "autofs mounts each repository when it is used")
    if inside:
        return Check("cvmfs", "OK", f"mounted: {', '.join(mount.point for mount in inside)}")
    if facts.client:
        mend = "cvmfs_config setup, then cvmfs_config probe"
        return Check("cvmfs", "FAIL", f"the client is there, but {CVMFS} is not set up", mend)
    mend = "install the CVMFS client (package cvmfs), then cvmfs_config setup"
    return Check("cvmfs", "FAIL", f"nothing is mounted in {CVMFS}, and there is no client", mend)
