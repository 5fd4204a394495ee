"""Cleaners of files and the end of a login may take the run directory from a running engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from plancton.runtime.docker.client import DockerClient
from plancton.service.process.lock import holder
from plancton.service.process.paths import default_paths
from tests.conftest import sweep, until
from tests.e2e.conftest import Containers
from tests.e2e.service import PLANCTON, Service, remove_at_once

pytestmark = pytest.mark.docker
MADE_ANEW = "files of the run directory were gone and are made anew"


def _instance_lock(service: Service) -> Path:
    """Return the lock of the instance; its folder is that of all engines of this user."""
    (found,) = default_paths().rundir.glob(f"instance-{service.instance}-*.lock")
    return found


def _socket(service: Service) -> None:
    (service.rundir / "plancton.sock").unlink()


def _another_socket(service: Service) -> None:
    _socket(service)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(service.rundir / "plancton.sock"))


def _lock(service: Service) -> None:
    (service.rundir / "plancton.lock").unlink()


def _another_lock(service: Service) -> None:
    _lock(service)
    (service.rundir / "plancton.lock").write_text("1\n")


def _instance(service: Service) -> None:
    _instance_lock(service).unlink()


def _folder(service: Service) -> None:
    remove_at_once(service.rundir)
    _instance_lock(service).unlink()


CLEANERS = (_socket, _another_socket, _lock, _another_lock, _instance, _folder)


def test_what_was_removed_is_made_anew(service: Service, containers: Containers) -> None:
    """Verbs reach the engine again within seconds, and the operator's drain still holds."""
    service.configure(spawn={"maximum": 1, "short_life": 0})
    service.start()
    assert service.process
    for times, clean in enumerate(CLEANERS, start=1):
        until(lambda: len(service.names()) == 1)
        service.ask("drain")
        before = containers.names()
        clean(service)
        until(lambda: service.log.count(MADE_ANEW) == times, 30)  # noqa: B023 (now)
        assert service.node.pid == holder(_instance_lock(service)) == service.process.pid
        containers.leave()
        until(lambda: not service.status()["pilots"], 30)
        assert service.status()["mode"] == "draining"
        assert (service.rundir / "drain").exists()
        service.ask("resume")
        until(lambda: len(containers.names() - before) == 1)  # noqa: B023 (now)
        assert service.log.count(MADE_ANEW) == times
    assert service.run("stop").returncode == 0
    assert service.ended() == 0
    assert not (service.rundir / "plancton.sock").exists()


def test_no_second_engine_starts_in_the_gap(service: Service) -> None:
    """Nor does what ends pilots without an engine: nothing of the first is left on disk."""
    service.configure(spawn={"maximum": 0})
    service.start()
    assert service.process
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        _folder(service)
        second = service.folder / "second"
        options = ["--rundir", str(second), *service.options[2:]]
        for verb in ("serve", "force-stop", "reap"):
            words = [word for word in options if verb == "serve" or "log" not in word]
            done = subprocess.run(
                [PLANCTON, verb, "--config", str(service.config), *words],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == 1, verb
            assert f"runs already, process {service.process.pid} " in done.stderr
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    until(lambda: MADE_ANEW in service.log, 30)
    service.ask("status")


def test_a_directory_that_another_took_is_left_to_it(
    service: Service, tmp_path: Path, docker_client: DockerClient
) -> None:
    """The first says so, and takes it back when the other has ended."""
    service.configure(spawn={"maximum": 0})
    service.start()
    assert service.process
    (tmp_path / "other").mkdir()
    other = Service(tmp_path / "other", f"{service.instance}b")
    other.rundir = service.rundir
    other.configure(spawn={"maximum": 0})
    os.kill(service.process.pid, signal.SIGSTOP)
    remove_at_once(service.rundir)
    other.start()
    os.kill(service.process.pid, signal.SIGCONT)
    try:
        until(lambda: "the run directory cannot be kept" in service.log, 30)
        assert service.status()["instance"] == other.instance
        assert other.stop() == 0
        until(lambda: MADE_ANEW in service.log, 30)
        until(lambda: service.run("status").returncode == 0, 30)
        assert service.status()["instance"] == service.instance
        assert service.stop() == 0
    finally:
        if other.process and other.process.poll() is None:
            other.process.kill()
            other.process.wait()
        sweep(docker_client, other.instance)
