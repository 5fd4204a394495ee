"""The sources of a pilot's binds, looked at before Docker is asked to mount them.

Docker makes a missing source of some binds as root, and one that hangs takes the start with it.
"""

from __future__ import annotations

import errno
import os
import posixpath
import socket
import struct
from collections.abc import Mapping
from typing import Any

from plancton.config.schema import Profile
from plancton.engine.ports import ActionError
from plancton.runtime.docker.container_spec import bind_parts
from plancton.runtime.path_probe import PathProbe, Place, ProbeError

OURS = "self"
_UNIX = "unix://"
_UCRED = struct.Struct("3i")
"""Process, user and group of a socket's other end (unix(7))."""


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
    """Looks at the sources of binds. One object belongs to one thread."""

    def __init__(self, probe: PathProbe | None = None) -> None:
        """Look with *probe*."""
        self.probe = probe or PathProbe()

    def check(self, profile: Profile, viewer: str | None) -> None:
        """Raise ActionError if a bind of the profile cannot be mounted, or does not answer."""
        sources = paths_of(profile)
        if viewer is None or not sources:
            return
        try:
            places = self.probe.look(sources, viewer)
        except ProbeError as error:
            raise ActionError(f"profile {profile.name}: {error}") from error
        for source, place in places.items():
            trouble = trouble_of(source, place)
            if trouble and viewer != OURS:  # Docker may see what we do not
                raise ActionError(f"profile {profile.name}: {trouble}")

    def close(self) -> None:
        """End what hangs."""
        self.probe.close()


def paths_of(profile: Profile) -> list[str]:
    """Return the sources of a profile's binds that are paths of the node, not volumes."""
    sources = (bind_parts(bind)[0] for bind in profile.binds)
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
