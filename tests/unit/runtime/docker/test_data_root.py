"""The file system that pilots fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.docker.data_root import data_root

STORE = [["driver-type", "io.containerd.snapshotter.v1"]]


@pytest.mark.parametrize("status", [None, [], "odd", [["Backing Filesystem", "extfs"]]])
def test_it_is_dockers_own(status: Any) -> None:
    """As ever, where a storage driver of Docker keeps all."""
    assert data_root({"DockerRootDir": "/srv/docker", "DriverStatus": status}) == "/srv/docker"
    assert data_root({"DriverStatus": status}) == "/"


def test_it_is_containerds_with_its_image_store(tmp_path: Path) -> None:
    """The system's, that of Docker's own containerd if it runs one; Docker's if neither is seen."""
    docker, system = tmp_path / "docker", tmp_path / "containerd"
    info = {"DockerRootDir": str(docker), "DriverStatus": STORE}
    assert data_root(info, str(system)) == str(docker)
    system.mkdir()
    assert data_root(info, str(system)) == str(system)
    (docker / "containerd/daemon").mkdir(parents=True)
    assert data_root(info, str(system)) == str(docker / "containerd/daemon")
