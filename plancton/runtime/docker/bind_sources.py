"""The sources of a pilot's binds, looked at before Docker is asked to mount them.

Docker makes a missing source of some binds as root, and one that hangs takes the start with it.
"""

from __future__ import annotations

import errno
import os
import posixpath
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from plancton.config.restrictions import folders_holding, leads_astray
from plancton.config.schema import Profile
from plancton.engine.model.pilot import PilotState
from plancton.engine.ports import ActionError
from plancton.runtime.docker.container_spec import bind_parts
from plancton.runtime.mounts import within
from plancton.runtime.path_probe import PathProbe, Place, ProbeError

OURS = "self"
_ENDED = (PilotState.EXITED, PilotState.DEAD)
_UNIX = "unix://"
_UCRED = struct.Struct("3i")
"""Process, user and group of a socket's other end (unix(7))."""


class BindError(Exception):
    """A bind must not be mounted. Says which, and why."""


def viewer_of(url: str, info: Mapping[str, Any]) -> str | None:
    """Return the process by whose eyes to look at what Docker at *url* mounts; None: by none.

    We may have a /tmp of our own, or live in a container: Docker's own root counts, or that of
    systemd, which opened the socket. Who may not look through it (only root may) looks through
    its own, if that holds Docker's data.
    """
    data = str(info.get("DockerRootDir") or "")
    if not url.startswith(_UNIX) or not data:
        return None
    for viewer in (str(_listener(url.removeprefix(_UNIX))), OURS):
        if os.path.isdir(f"/proc/{viewer}/root{data}"):  # noqa: PTH112 (no right to look is no)
            return viewer
    return None


def _listener(path: str) -> int:
    """Return the process that listens on a socket; 0 if it lives where we cannot see it."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(1.0)
        peer.connect(path)
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(credentials)[0])


class BindSources:
    """Looks at the sources of binds, of several starts at a time: threads share it."""

    def __init__(self, probe: PathProbe | None = None) -> None:
        """Look with *probe*."""
        self.probe = probe or PathProbe()
        self._written: frozenset[str] = frozenset()
        """What running pilots may write of the node."""
        self._promised: dict[str, frozenset[str]] = {}
        """The same of pilots that are not listed yet, by their name."""
        self._mounting: dict[str, frozenset[str]] = {}
        """Sources that Docker is asked to mount now and nobody may replace, by the pilot's name."""
        self._changed = threading.Condition()

    def note_pilots(self, listed: Iterable[Any]) -> None:
        """Learn from Docker's listing of our pilots what they may write."""
        items = [item for item in listed if isinstance(item, Mapping)]
        self._written = frozenset(
            str(mount.get("Source"))
            for item in items
            if item.get("State") not in _ENDED
            for mounts in [item.get("Mounts")]
            for mount in (mounts if isinstance(mounts, list) else ())
            if isinstance(mount, Mapping) and mount.get("RW")
        )
        for item in items:
            names = item.get("Names")
            for name in names if isinstance(names, list) else ():
                self._promised.pop(str(name).lstrip("/"), None)

    @contextmanager
    def mounted(self, name: str, profile: Profile, viewer: str | None) -> Iterator[Profile]:
        """Yield the profile as ``resolved`` has it, while the pilot *name* is started.

        Meanwhile no other one is started that could replace what is to be mounted.
        """
        if not profile.binds:
            yield profile
            return
        with self._changed:
            bound = self._resolved(profile, viewer)
            self._promised[name] = own = frozenset(_written_by(bound))
            if profile.bind_folders is not None:
                self._mounting[name] = frozenset(paths_of(bound.binds))
            self._changed.wait_for(lambda: not self._would_replace(name, own))
        try:
            yield bound
        except BaseException:
            self._promised.pop(name, None)
            raise
        finally:
            with self._changed:
                self._mounting.pop(name, None)
                self._changed.notify_all()

    def _would_replace(self, name: str, written: Iterable[str]) -> bool:
        """Say whether who writes there could replace what is being mounted for others."""
        others = (each for other, each in self._mounting.items() if other != name)
        mounting = [source for each in others for source in each]
        return any(_is_below(source, folder) for folder in written for source in mounting)

    def resolved(self, profile: Profile, viewer: str | None) -> Profile:
        """Return the profile with binds that may be mounted: those of a remote file without links.

        ActionError if a bind cannot be mounted, does not answer, or leads out of what is allowed.
        """
        bound = self._resolved(profile, viewer)
        self._written |= frozenset(_written_by(bound))
        return bound

    def _resolved(self, profile: Profile, viewer: str | None) -> Profile:
        try:
            places = self._look(profile, viewer)
            return profile if profile.bind_folders is None else self._kept(profile, places)
        except (ProbeError, BindError) as error:
            raise ActionError(f"profile {profile.name}: {error}") from error

    def _look(self, profile: Profile, viewer: str | None) -> Mapping[str, Place]:
        """Return what is at the sources, and at the folders of ``allow.binds`` that hold them."""
        if viewer is None:
            return {}
        sources, allowed = paths_of(profile.binds), profile.bind_folders or ()
        folders = [folder for source in sources for folder in folders_holding(source, allowed)]
        places = self.probe.look([*sources, *folders], viewer)
        troubles = [trouble_of(source, places[source]) for source in sources]
        if viewer != OURS and any(troubles):  # with our eyes: Docker may see what we do not
            raise BindError(next(filter(None, troubles)))
        return places

    def _kept(self, profile: Profile, places: Mapping[str, Place]) -> Profile:
        """Return a profile of a remote configuration with its binds resolved."""
        own = (places[source].real for source in _written_by(profile) if source in places)
        promised = (path for each in list(self._promised.values()) for path in each)
        written, allowed = {*self._written, *promised, *own}, profile.bind_folders or ()
        binds = tuple(_kept(bind, allowed, places, written) for bind in profile.binds)
        return profile.model_copy(update={"binds": binds})

    def close(self) -> None:
        """End what hangs."""
        self.probe.close()


def _kept(
    bind: str, allowed: Iterable[str], places: Mapping[str, Place], written: Iterable[str]
) -> str:
    """Return a bind of a remote configuration as it may be mounted; BindError if it may not."""
    if not bind.startswith("/"):
        return bind  # a volume
    source = posixpath.normpath(bind_parts(bind)[0])
    folders = folders_holding(source, allowed)
    if any(path not in places or places[path].errno for path in (source, *folders)):
        if set(folders) == {source}:
            return bind
        raise BindError(
            f"{bind}: where it leads cannot be seen from here, so only the folders of allow.binds "
            "themselves are mounted, not what lies below"
        )
    real = {path: place.real for path, place in places.items()}
    astray = leads_astray(bind, allowed, real)
    if astray:
        raise BindError(f"{bind} {astray}")
    for folder in written:
        if _is_below(real[source], folder):
            raise BindError(
                f"{bind} lies below {folder}, which pilots may write: one could put a link in its "
                f"place while it is mounted; bind {folder} itself, or have no pilot write there"
            )
    if ":" in real[source]:
        raise BindError(f"{bind} leads to {real[source]}, and Docker takes no path with a colon")
    return f"{real[source]}{bind[bind.index(':') :]}"


def _is_below(path: str, folder: str) -> bool:
    return path != folder and within(path, folder)


def _written_by(profile: Profile) -> list[str]:
    """Return the sources that the profile's pilots may write."""
    return paths_of(bind for bind in profile.binds if "rw" in bind_parts(bind)[2])


def paths_of(binds: Iterable[str]) -> list[str]:
    """Return the sources of binds that are paths of the node, not volumes, as Docker takes them."""
    sources = (bind_parts(bind)[0] for bind in binds)
    return [posixpath.normpath(source) for source in sources if source.startswith("/")]


def trouble_of(source: str, place: Place) -> str:
    """Say why a source cannot be mounted, and what to do; empty: it can."""
    match place.errno:
        case 0 | errno.EACCES | errno.EPERM:  # Docker may look
            return ""
        case errno.ENOENT | errno.ENOTDIR:
            return f"{source} does not exist on this node; create it, or correct binds"
        case errno.ENOTCONN | errno.ESTALE:
            return f"{source}: {place.trouble}; umount -l {source}, and mount it again"
        case _:
            return f"{source}: {place.trouble}"
