"""What a pilot is told of its node and its own limits, and what it may tell.

Machine/job features after HSF-TN-2016-02: two folders of files, each holding one value.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plancton.config.schema import Profile
from plancton.config.schema.pilots import OWN_FOLDER
from plancton.runtime.file_modes import PUBLIC, PUBLIC_FOLDER, make_folder, write_new
from plancton.runtime.mounts import parse_mountinfo, within

log = logging.getLogger("plancton")

MACHINE_FOLDER = f"{OWN_FOLDER}/machinefeatures"
JOB_FOLDER = f"{OWN_FOLDER}/jobfeatures"
HINTS_FOLDER = f"{OWN_FOLDER}/hints"
HINTS_TMPFS = {HINTS_FOLDER: "rw,nosuid,nodev,noexec,size=4k,mode=1777"}
"""Where a pilot leaves hints: a small memory of its own, so that it fills nothing of the host."""
CHECKPOINT = "checkpoint"
_BEGAN = "began"
"""Beside a pilot's folders, where no pilot reaches it."""
_LONGEST_MOUNTINFO = 100_000
_MAY_HANG = ("fuse", "nfs", "cifs", "ceph", "9p", "autofs")
"""How kinds of file systems that wait for a process or another machine begin."""


@dataclass(frozen=True, slots=True)
class PilotEnvironment:
    """What a new pilot gets."""

    env: dict[str, str]
    binds: list[str]


class JobFeatures:
    """The folders of all pilots of an instance, below one folder of the host."""

    def __init__(self, folder: Path | None) -> None:
        """Keep them in *folder*; None: pilots get only environment variables."""
        # Docker takes a bind source that is not absolute for the name of a volume.
        self.folder = folder.absolute() if folder else None
        self._failed = False

    def prepare(
        self, name: str, profile: Profile, *, node: str, ncpus: int, wall: float, instance: str
    ) -> PilotEnvironment:
        """Write the features of a new pilot; without a place for them it gets the environment."""
        if not profile.features:
            return PilotEnvironment({}, [])
        deadline = math.floor(wall + profile.ttl)
        env = _variables(name, profile, node=node, instance=instance, deadline=deadline)
        env["PLANCTON_CPU_LIMIT"] = f"{min(profile.most_cores, ncpus):g}"
        if self.folder is None:
            return PilotEnvironment(env, [])
        folder = self.folder / name
        try:
            _write(folder / "machine", {"total_cpu": str(ncpus)})
            _write(folder / "job", _job_features(name, profile, wall=wall, deadline=deadline))
        except OSError as error:
            if not self._failed:
                fields = {"folder": self.folder, "error": error.strerror}
                log.warning("pilots get no machine/job features", extra={"fields": fields})
            self._failed = True
            return PilotEnvironment(env, [])
        env |= {"MACHINEFEATURES": MACHINE_FOLDER, "JOBFEATURES": JOB_FOLDER}
        binds = [f"{folder}/machine:{MACHINE_FOLDER}:ro", f"{folder}/job:{JOB_FOLDER}:ro"]
        return PilotEnvironment(env, binds)

    def set_shutdown_time(self, name: str, wall: float) -> None:
        """Tell a pilot that it must be gone at *wall*, seconds of the epoch."""
        if self.folder is not None and name and (self.folder / name / "job").is_dir():
            _write_quietly(self.folder / name / "job" / "shutdowntime_job", f"{wall:.0f}")

    def begin(self, name: str, wall: float, ttl: float) -> None:
        """Write that a pilot whose features were prepared before begins now, at *wall*."""
        if self.folder is None:
            return
        place, job = self.folder / name / _BEGAN, self.folder / name / "job"
        with suppress(OSError):
            make_folder(place.parent, PUBLIC_FOLDER)
            write_new(place, f"{wall:.3f}\n", PUBLIC)
        if job.is_dir():
            _write_quietly(job / "jobstart_secs", f"{wall:.0f}")
            _write_quietly(job / "shutdowntime_job", f"{math.floor(wall + ttl)}")

    def beginning(self, name: str) -> float | None:
        """Return when a pilot began, as it was written, seconds of the epoch; None: unknown."""
        if self.folder is None or not name:
            return None
        try:
            return float((self.folder / name / _BEGAN).read_text())
        except (OSError, ValueError):
            return None

    def remove(self, name: str) -> None:
        """Remove a pilot's folders."""
        if self.folder is not None and name:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def remove_others(self, present: Iterable[str]) -> None:
        """Remove the folders of pilots that are not *present*."""
        if self.folder is not None and self.folder.is_dir():
            for place in self.folder.iterdir():
                if place.name not in present:
                    self.remove(place.name)


def _variables(
    name: str, profile: Profile, *, node: str, instance: str, deadline: int
) -> dict[str, str]:
    return {
        "PLANCTON_PILOT": name,
        "PLANCTON_PROFILE": profile.name,
        "PLANCTON_INSTANCE": instance,
        "PLANCTON_NODE": node,
        "PLANCTON_CPUS": f"{profile.cpus:g}",
        "PLANCTON_MEMORY": str(profile.memory),
        "PLANCTON_DISK": str(profile.disk),
        "PLANCTON_TTL": f"{profile.ttl:.0f}",
        "PLANCTON_GRACE": f"{profile.grace:g}",
        "PLANCTON_DEADLINE": str(deadline),
        "PLANCTON_HINTS": HINTS_FOLDER,
    }


def _job_features(name: str, profile: Profile, *, wall: float, deadline: int) -> dict[str, str]:
    scratch = {"scratch_limit_bytes": str(profile.disk)} if profile.disk else {}
    return {
        **scratch,
        "allocated_cpu": f"{profile.cpus:g}",
        "wall_limit_secs": f"{profile.ttl:.0f}",
        "max_rss_bytes": str(profile.memory),
        "max_swap_bytes": str(profile.swap),
        "grace_secs_job": f"{profile.grace:g}",
        "jobstart_secs": f"{wall:.0f}",
        "shutdowntime_job": str(deadline),
        "job_id": name,
    }


def checkpoint_of(pid: int) -> float | None:
    """Return when the pilot whose first process is *pid* last touched its checkpoint hint.

    Seconds of the epoch; None if it never did, or we may not look (only root may).
    """
    try:
        if not hints_are_ours(_mountinfo(pid)):
            return None
        return _modified_below(f"/proc/{pid}/root", (*HINTS_FOLDER.split("/")[1:], CHECKPOINT))
    except OSError:
        return None


def hints_are_ours(mountinfo: str) -> bool:
    """Say whether a pilot reaches its hints by its own root and our tmpfs, and nothing else.

    A pilot that may mount, or what is bound into it by a link of its image, could put a file
    system there that hangs, and the engine with it.
    """
    way = [mount for mount in parse_mountinfo(mountinfo) if within(HINTS_FOLDER, mount.point)]
    if [mount.point for mount in way] != ["/", HINTS_FOLDER]:
        return False
    return way[1].kind == "tmpfs" and not way[0].kind.startswith(_MAY_HANG)


def _mountinfo(pid: int) -> str:
    """Return the mounts of a pilot; nothing if they are more than any honest one has."""
    with Path(f"/proc/{pid}/mountinfo").open("rb") as file:
        raw = file.read(_LONGEST_MOUNTINFO + 1)
    return "" if len(raw) > _LONGEST_MOUNTINFO else raw.decode("utf-8", "surrogateescape")


def _modified_below(root: str, parts: tuple[str, ...]) -> float:
    """Return when a file below *root* was last modified; no link on the way is followed.

    The pilot makes these folders' parents: a link there could lead to files of the host.
    """
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mtime
    finally:
        os.close(folder)


def _write(folder: Path, values: dict[str, str]) -> None:
    make_folder(folder, PUBLIC_FOLDER)  # whoever the pilot is, it may read them
    for name, value in values.items():
        write_new(folder / name, f"{value}\n", PUBLIC)


def _write_quietly(path: Path, value: str) -> None:
    try:
        path.write_text(f"{value}\n")
    except OSError as error:
        log.debug("cannot write %s: %s", path, error)
