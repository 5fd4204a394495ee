"""An engine on another machine, and a rootless one of which parts are missing."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.docker_proxy import DockerProxy, Exchange
from tests.e2e.service import PLANCTON, Service

pytestmark = pytest.mark.docker
NOBODY = 65534


def of_another_kernel(exchange: Exchange) -> None:
    """Answer as the engine of a virtual machine."""
    info = json.loads(exchange.answer()[1])
    info |= {"Name": "docker-desktop", "KernelVersion": "9.9-linuxkit"}
    exchange.send(json.dumps(info).encode())


def test_no_protection_is_claimed_for_another_machine(
    tmp_path: Path, instance: str, proxy: DockerProxy, containers: Containers
) -> None:
    """Said by status and doctor, with its name; pilots get no parent of this machine's."""
    proxy.spoil(of_another_kernel, "/info")
    service = Service(tmp_path, instance, docker=proxy.url)
    service.configure({"cpus": 0.3}, spawn={"maximum": 1, "short_life": 0})
    try:
        service.start()
        until(service.names)
        status = service.run("status").stdout
        assert "weight only - Docker runs on another machine, docker-desktop" in status
        assert "run Plancton there, or correct node.docker" in status
        doctor = service.run("doctor", config=True).stdout
        assert "protection: Docker runs on another machine, docker-desktop" in doctor
        (name,) = service.names()
        assert containers.client.inspect_container(name)["HostConfig"]["CgroupParent"] == ""
        assert service.run("force-stop").returncode == 0
        assert service.ended() == 0
        assert "Traceback" not in service.log
    finally:
        service.close()


def test_a_rootless_set_up_of_which_everything_is_missing() -> None:
    """Doctor as a plain user who has Docker's script, and nothing that it needs."""
    with tempfile.TemporaryDirectory(prefix="plt-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "dockerd-rootless.sh").touch(0o755)
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        command += ["env", "-u", "XDG_RUNTIME_DIR", f"PATH={folder}", f"HOME={folder}"]
        command += [PLANCTON, "doctor", "--rundir", f"{folder}/run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    for words in (
        "newuidmap and newgidmap are not installed",
        "no user session: /run/user/65534 does not exist",
        "rootless Docker: install the package uidmap (Fedora: shadow-utils), then dockerd-rootless",
        "rootless Docker: as root: loginctl enable-linger nobody",
    ):
        assert words in done.stdout
    assert done.stderr == ""
