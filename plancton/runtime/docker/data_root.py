"""Where an engine on this node keeps images and what containers write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_IMAGE_STORE = ["driver-type", "io.containerd.snapshotter.v1"]
"""What ``/info`` says of the storage driver where containerd keeps the images."""
SYSTEM_CONTAINERD = "/var/lib/containerd"


def data_root(info: Mapping[str, Any], system: str = SYSTEM_CONTAINERD) -> str:
    """Return the folder whose file system pilots fill, by Docker's ``/info``.

    With the containerd image store that is containerd's, not Docker's: the *system* one's, or
    that of a containerd which Docker runs by itself, below its own.
    """
    root = str(info.get("DockerRootDir") or "/")
    status = info.get("DriverStatus")
    if not isinstance(status, list) or _IMAGE_STORE not in status:
        return root
    places = (f"{root}/containerd/daemon", system)
    return next((place for place in places if os.path.isdir(place)), root)  # noqa: PTH112 (no right to look is no)
