"""What pilots write to disk: looked at in turn, on a thread of its own that keeps out of the way.

The kernel counts a container's memory and CPU, but not its disk. So its folders on the host are
walked; where its layer cannot be read, Docker is asked, which walks it too.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import docker.errors

from plancton.engine.model.pilot import Written
from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.client import open_client

ROUND = 15.0
"""Seconds between two rounds through all pilots."""
REST = 20.0
"""Rest after each piece of work, in multiples of what that took."""
PIECE = 256
"""Files and folders looked at between two rests."""
MOST = 200_000
"""Files and folders looked at in one place; what lies beyond is not counted."""
DEEPEST = 64
"""Levels of folders that are looked into."""
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of the host that a container writes to."""

    layer: str = ""
    """Its writable layer; empty: the storage driver has no such folder."""
    volumes: tuple[str, ...] = ()
    """Volumes without a name, which go with it."""
    kept_volumes: tuple[str, ...] = ()
    """Named volumes, which stay."""


def places_of(inspected: Mapping[str, Any]) -> Places:
    """Return the places in Docker's answer to an inspection, whatever else that may hold."""
    driver = inspected.get("GraphDriver")
    data = driver.get("Data") if isinstance(driver, Mapping) else None
    layer = data.get("UpperDir") if isinstance(data, Mapping) else None
    mounts = inspected.get("Mounts")
    volumes: dict[bool, list[str]] = {True: [], False: []}
    for mount in mounts if isinstance(mounts, list) else ():
        if isinstance(mount, Mapping) and isinstance(mount.get("Source"), str):
            kind = mount.get("Type"), mount.get("Driver"), mount.get("RW")
            if kind == ("volume", "local", True):
                nameless = _ANONYMOUS.fullmatch(str(mount.get("Name"))) is not None
                volumes[nameless].append(mount["Source"])
    return Places(
        layer if isinstance(layer, str) else "", tuple(volumes[True]), tuple(volumes[False])
    )


def may_have_quota(info: Mapping[str, Any]) -> bool:
    """Say whether Docker's storage driver may enforce a bound on the disk of a container.

    Not btrfs: there Docker would switch on quotas of the whole file system, and have it counted
    anew at each removal. Not devicemapper: it counts the image, too.
    """
    driver, status = info.get("Driver"), info.get("DriverStatus")
    on_xfs = isinstance(status, list) and ["Backing Filesystem", "xfs"] in status
    return driver == "zfs" or (driver == "overlay2" and on_xfs)


class DiskMeter:
    """Measures the pilots it is told to watch, one after the other."""

    def __init__(self, url: str) -> None:
        """Measure on this node, or ask the engine at *url*."""
        self.url = url
        self._watched: Mapping[str, Places] = {}
        self._written: Mapping[str, Written] = {}
        self._found: dict[tuple[str, str], int] = {}
        """Bytes in a named volume when a pilot was first seen with it."""
        self._stopping = threading.Event()

    def watch(self, pilots: Mapping[str, Places]) -> None:
        """Say which pilots there are, by ID, and where they write."""
        self._watched = pilots

    def written(self, id_: str) -> Written | None:
        """Return what a pilot had written when it was last looked at; None: it was not yet."""
        return self._written.get(id_)

    def run(self) -> None:
        """Measure until ``stop``."""
        _lower_io_priority()
        while not self._stopping.wait(ROUND):
            self.measure()

    def stop(self) -> None:
        """End ``run``."""
        self._stopping.set()

    def measure(self) -> None:
        """Look at each pilot once, and forget those that have gone."""
        watched = self._watched
        users = Counter(place for places in watched.values() for place in places.kept_volumes)
        for id_, places in watched.items():
            # Of a volume that several share nobody can tell who wrote what.
            alone = [place for place in places.kept_volumes if users[place] == 1]
            found = self._look(id_, places, alone)
            if self._stopping.is_set():
                return
            if found is not None:
                self._written = {**self._written, id_: found}
        self._written = {id_: each for id_, each in self._written.items() if id_ in watched}
        self._found = {key: size for key, size in self._found.items() if key[0] in watched}

    def _look(self, id_: str, places: Places, alone: list[str]) -> Written | None:
        """Return what a pilot wrote; None if nobody can tell."""
        layer = self._walk(places.layer) or self._ask(id_)
        if layer is None:
            return None
        volumes = [self._walk(place) for place in places.volumes]
        volumes += [self._growth(id_, place) for place in alone]
        known = [each for each in volumes if each is not None]
        files = sum(each.files or 0 for each in known)
        return Written(
            layer.size + sum(each.size for each in known),
            None if layer.files is None else layer.files + files,
        )

    def _growth(self, id_: str, volume: str) -> Written | None:
        """Return by how much a volume grew since a pilot was first seen with it."""
        now = self._walk(volume)
        if now is None or now.files == MOST:
            return None
        return Written(max(0, now.size - self._found.setdefault((id_, volume), now.size)))

    def _walk(self, place: str) -> Written | None:
        """Return what is in a folder of this node; None if it cannot be read.

        A volume may be mounted from anywhere: one that is a file system of its own is left alone.
        """
        try:
            if not place or os.path.ismount(place):
                return None
            folder = os.open(place, _FOLDER)
        except OSError:
            return None
        size = files = 0
        linked: set[int] = set()
        with closing(_below(folder, os.fstat(folder).st_dev)) as everything:
            while True:
                began = time.monotonic()
                piece = list(islice(everything, min(PIECE, MOST - files)))
                for each in piece:
                    if each.st_nlink > 1 and not stat.S_ISDIR(each.st_mode):
                        if each.st_ino in linked:
                            continue
                        linked.add(each.st_ino)
                    size += 512 * each.st_blocks
                files += len(piece)
                if not piece or self._rest_after(time.monotonic() - began):
                    return Written(size, files)

    def _ask(self, id_: str) -> Written | None:
        """Return what Docker finds in a container's layer."""
        began = time.monotonic()
        try:
            with open_client(self.url, timeout=60) as client:
                listed = client.containers(all=True, size=True, filters={"id": id_})
        except (RuntimeUnavailableError, docker.errors.APIError):
            return None
        finally:
            self._rest_after(time.monotonic() - began)
        if len(listed) != 1 or not isinstance(listed[0], Mapping):
            return None
        size = listed[0].get("SizeRw", 0)  # absent where it is 0
        return Written(size) if isinstance(size, int) else None

    def _rest_after(self, seconds: float) -> bool:
        """Rest after so much work; returns whether to stop."""
        return self._stopping.wait(REST * seconds)


def _below(folder: int, device: int, depth: int = 1) -> Generator[os.stat_result]:
    """Yield all that lies below an open folder on the same file system, and close the folder.

    No link is followed: the pilot makes them, even while we look.
    """
    try:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                yield found
                inside = stat.S_ISDIR(found.st_mode) and found.st_dev == device
                if inside and depth < DEEPEST:
                    with suppress(OSError):
                        inner = os.open(entry.name, _FOLDER, dir_fd=folder)
                        yield from _below(inner, device, depth + 1)
    finally:
        os.close(folder)


def _lower_io_priority() -> None:
    """Put this thread's reads into the kernel's idle class; its CPU time is little by itself.

    In the CPU's idle class it might be made to wait while it holds the interpreter's lock.
    """
    command = ["ionice", "--class", "3", "--pid", str(threading.get_native_id())]
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, check=False, capture_output=True, timeout=10)
