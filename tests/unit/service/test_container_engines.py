"""Which engine a node's configuration, environment and sockets name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plancton.config.schema import Node
from plancton.runtime.docker.engine_url import DEFAULT_URL, EngineUrl
from plancton.service.container_engines import choice, container_engine, engine_url
from plancton.service.container_engines.apptainer import ApptainerEngine
from plancton.service.container_engines.docker import DockerEngine
from plancton.service.process.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return the places of an engine."""
    return Paths(tmp_path / "c", tmp_path / "run", tmp_path / "log", tmp_path / "state")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a node without any engine: a folder for its programs and sockets."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no contexts"))
    monkeypatch.setattr(choice, "_is_there", lambda url: (tmp_path / Path(url).name).exists())
    monkeypatch.setattr(choice, "_podman_socket", lambda: tmp_path / "podman.sock")
    return tmp_path


def install(node: Path, *programs: str) -> None:
    """Have programs on the node."""
    for program in programs:
        (node / program).touch(0o755)


def test_what_is_asked_for_is_taken(node: Path, paths: Paths) -> None:
    """Whether it is there or not: then it says so."""
    apptainer = f"apptainer:{paths.rundir}/apptainer"
    assert engine_url(Node(engine="apptainer"), paths) == apptainer
    assert engine_url(Node(engine="podman"), paths) == f"unix://{node}/podman.sock"
    assert engine_url(Node(engine="docker"), paths) == DEFAULT_URL
    assert engine_url(Node(docker="tcp://h:1"), paths) == "tcp://h:1"
    assert engine_url(Node(engine="podman", docker="unix:///p"), paths) == "unix:///p"


def test_docker_comes_before_podman_before_apptainer(node: Path, paths: Paths) -> None:
    """By what is there; with nothing at all it is Docker, whose absence everybody understands."""
    assert engine_url(Node(), paths) == DEFAULT_URL
    install(node, "apptainer")
    assert engine_url(Node(), paths).startswith("apptainer:")
    (node / "podman.sock").touch()
    assert engine_url(Node(), paths) == f"unix://{node}/podman.sock"
    (node / "docker.sock").touch()
    assert engine_url(Node(), paths) == DEFAULT_URL


def test_a_docker_that_is_down_is_not_replaced(node: Path, paths: Paths) -> None:
    """It is installed: pilots would change the engine with each of its restarts."""
    install(node, "apptainer", "docker")
    assert engine_url(Node(), paths) == DEFAULT_URL


def test_the_environment_names_docker(
    node: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not against the configuration."""
    (node / "podman.sock").touch()
    monkeypatch.setenv("DOCKER_HOST", "unix:///x.sock")
    assert engine_url(Node(), paths) == "unix:///x.sock"
    assert engine_url(Node(engine="apptainer"), paths).startswith("apptainer:")


def test_a_url_is_an_engine(paths: Paths) -> None:
    """Of one kind or the other."""
    assert isinstance(container_engine(EngineUrl("unix:///x"), paths), DockerEngine)
    assert isinstance(container_engine(EngineUrl("apptainer:/x"), paths), ApptainerEngine)


def test_podmans_socket_is_where_its_unit_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's, or the user's own."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert choice._podman_socket() == Path("/run/podman/podman.sock")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert choice._podman_socket() == Path("/run/user/1000/podman/podman.sock")
