"""Podman's compatible socket in Docker's place: as root, with a storage of its own."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.runtime.docker.client import DockerClient, docker_url
from tests.conftest import kernel_quota, until
from tests.e2e.service import CORES, Service

pytestmark = [pytest.mark.docker, pytest.mark.long]

# Its defaults want more than a machine may allow, and systemd.
SETTINGS = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""


class Podman:
    """A Podman service below a folder."""

    def __init__(self, folder: Path) -> None:
        """Start it, with the image for pilots."""
        self.url = f"unix://{folder}/podman.sock"
        (folder / "containers.conf").write_text(SETTINGS)
        self._environment = {**os.environ, "CONTAINERS_CONF": f"{folder}/containers.conf"}
        places = ["--root", f"{folder}/root", "--runroot", f"{folder}/runroot"]
        self._command = ["podman", *places, "--storage-driver", "vfs"]
        self._import(folder / "busybox.tar")
        with (folder / "log").open("wb") as log:
            command = ["setpriv", "--pdeathsig=KILL", *self._command]
            command += ["system", "service", "--time", "0", self.url]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
        until((folder / "podman.sock").exists)

    def _import(self, archive: Path) -> None:
        """Take the image for pilots over from Docker, whatever made it."""
        client = DockerClient(docker_url(), timeout=30)
        made = client.create_container("busybox:latest")["Id"]
        try:
            archive.write_bytes(b"".join(client.export(made)))
        finally:
            client.remove_container(made)
            client.close()
        self.run("import", "--quiet", "--change", "ENV PATH=/bin", str(archive), "busybox:latest")

    def run(self, *words: str) -> str:
        """Run podman on the same storage; returns what it prints."""
        command = [*self._command, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self._environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        """End it and its containers."""
        self.run("rm", "--all", "--force", "--time", "0")
        self.process.terminate()
        self.process.wait(20)
        self.run("system", "reset", "--force")


@pytest.fixture
def podman() -> Iterator[Podman]:
    """Return a Podman of the test's own; it wants a path shorter than pytest's."""
    with tempfile.TemporaryDirectory(prefix="pm-", ignore_cleanup_errors=True) as name:
        made = Podman(Path(name))
        yield made
        made.close()


def test_podman_is_filled_refilled_adopted_and_emptied(
    podman: Podman, tmp_path: Path, instance: str
) -> None:
    """The whole life of pilots, in the idle class like Docker's."""
    service = Service(tmp_path, instance, docker=podman.url)
    pilot = {"command": ["sh", "-c", "echo hello; sleep 1000"], "cpus": 0.3}
    service.configure(pilot, spawn={"maximum": 2, "short_life": 0}, image={"pull": False})
    try:
        service.start()
        until(lambda: len(service.names()) == 2)
        before = service.names()
        assert set(podman.run("ps", "--format", "{{.Names}}").split()) == before
        assert service.status()["protection"] == "idle class"
        # It binds pilots at their creation; it cannot change them later.
        assert {len(pilot["bound_to"]) for pilot in service.status()["pilots"]} <= {0, 1}
        until(lambda: all(pilot["cpu"] is not None for pilot in service.status()["pilots"]), 30)
        assert all(pilot["memory_used"] for pilot in service.status()["pilots"])
        assert "at unix://" in service.run("doctor", config=True).stdout
        first = min(before)
        assert service.run("logs", first).stdout == "hello\n"
        assert service.run("freeze", first).returncode == 0
        paused = podman.run("ps", "--filter", "status=paused", "--format", "{{.Names}}")
        assert paused.split() == [first]
        assert service.run("thaw", first).returncode == 0
        podman.run("commit", "--quiet", first, "copy")  # its containers carry a pilot's labels
        copy = podman.run("run", "--detach", "--network", "none", "copy", "sleep", "1000").strip()
        until(lambda: any("docker commit" in said for said in service.status()["warnings"]))
        client = DockerClient(podman.url, timeout=30)
        client.kill(first)
        client.close()
        until(lambda: len(service.names()) == 2 and first not in service.names())
        kept = service.names()
        assert service.stop() == 0
        service.start()
        until(lambda: service.names() == kept)
        assert service.status()["spawned"] == 0
        assert service.run("force-stop").returncode == 0
        assert service.ended() == 0
        assert podman.run("ps", "--all", "--quiet", "--no-trunc").split() == [copy]
        assert "Traceback" not in service.log
    finally:
        service.close()


def test_podman_has_quotas_and_pilots_without(
    podman: Podman, tmp_path: Path, instance: str
) -> None:
    """Set at their creation; since it cannot change them later, that is said and left at that."""
    service = Service(tmp_path, instance, docker=podman.url)
    profiles = [
        {"name": name, "command": "sleep 1000", "network": "none", "memory": "50MB", **fields}
        for name, fields in (
            ("free", {"cpus": 0.3, "cpu_limit": "none"}),
            ("more", {"cpus": 0.3, "cpu_limit": 1.5}),
            ("plain", {"cpus": 0.3}),
        )
    ]
    each = [{**profile, "maximum": 1} for profile in profiles]
    spawn = {"maximum": 3}
    service.configure(pilots=each, image={"pull": False}, spawn=spawn)
    client = DockerClient(podman.url, timeout=30)
    try:
        service.start()
        until(lambda: len(service.names()) == 3)
        until(lambda: all(pilot["cpu_limit"] for pilot in service.status()["pilots"]), 30)
        pilots = {pilot["profile"]: pilot for pilot in service.status()["pilots"]}
        limits = {name: pilot["cpu_limit"] for name, pilot in pilots.items()}
        assert limits == {"free": CORES, "more": min(1.5, CORES), "plain": 0.3}
        kernels = {name: kernel_quota(client, pilot["id"]) for name, pilot in pilots.items()}
        assert kernels == {"free": math.inf, "more": 1.5, "plain": 0.3}
        service.configure(pilots=each, image={"pull": False}, spawn={**spawn, "reserve": 0.1})
        until(lambda: any(w.startswith("cpu_limit: ") for w in service.status()["warnings"]))
        assert {name: kernel_quota(client, p["id"]) for name, p in pilots.items()} == kernels
        assert service.run("force-stop").returncode == 0
    finally:
        client.close()
        service.close()


def test_podman_uses_spares_as_far_as_it_can_and_leaves_none(
    podman: Podman, tmp_path: Path, instance: str
) -> None:
    """Where it binds none that runs, pilots start as ever, and that is said."""
    service = Service(tmp_path, instance, docker=podman.url)
    spawn = {"maximum": 1, "short_life": 0, "spare": True}
    service.configure({"cpus": 0.3}, spawn=spawn, image={"pull": False})

    def held() -> bool:
        return podman.run("ps", "--format", "{{.Names}}").count(".spare") == 1

    try:
        service.start()
        until(held)
        (first,) = service.names()
        client = DockerClient(podman.url, timeout=30)
        client.kill(first)
        client.close()
        until(lambda: service.names() and first not in service.names())
        until(lambda: held() or "no spare made" in service.run("events").stdout)
        assert service.status()["spawned"] == 2
        assert service.run("force-stop").returncode == 0
        assert service.ended() == 0
        assert podman.run("ps", "--all", "--quiet") == ""
        assert "Traceback" not in service.log
    finally:
        service.close()
