"""Which engine a node has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from plancton.config.schema import Node
from plancton.runtime.docker.engine_url import EngineUrl, docker_url
from plancton.service.container_engines.apptainer import SCHEME, ApptainerEngine
from plancton.service.container_engines.docker import DockerEngine
from plancton.service.container_engines.port import ContainerEngine
from plancton.service.process.paths import Paths

_UNIX = "unix://"


def engine_url(node: Node, paths: Paths) -> EngineUrl:
    """Return what names the engine to use: as configured, else the one that is there.

    Docker is preferred, and assumed where there is none; then Podman, then Apptainer.
    RuntimeUnavailableError if a Docker context is named that cannot be used.
    """
    if node.engine == "apptainer":
        return _apptainer_url(paths)
    podman = EngineUrl(f"{_UNIX}{_podman_socket()}", "node.engine")
    if node.engine == "podman" and not node.docker:
        return podman
    docker = docker_url(node.docker, node.docker_certs)
    if docker.source or node.engine == "docker" or _is_there(docker):
        return docker
    if _is_there(podman):
        return podman
    found = shutil.which("apptainer") and not shutil.which("docker")
    return _apptainer_url(paths) if found else docker


def _is_there(url: str) -> bool:
    return Path(url.removeprefix(_UNIX)).exists()


def container_engine(url: EngineUrl, paths: Paths) -> ContainerEngine:
    """Return the engine that a URL names."""
    if url.startswith(SCHEME):
        return ApptainerEngine(url, images_folder(paths))
    return DockerEngine(url)


def images_folder(paths: Paths) -> Path:
    """Return where Apptainer's images are pulled to, a folder for each instance."""
    return paths.statedir / "images"


def _apptainer_url(paths: Paths) -> EngineUrl:
    return EngineUrl(f"{SCHEME}{paths.rundir.absolute() / 'apptainer'}", "node.engine")


def _podman_socket() -> Path:
    """Return where Podman's own unit has it listen (podman-system-service(1))."""
    if os.geteuid() == 0:
        return Path("/run/podman/podman.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return Path(runtime, "podman/podman.sock")
