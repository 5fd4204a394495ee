"""Plancton as a container beside its pilots, from the image that users build."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import until
from tests.vm.guest import ROOT, built

NAME = "plancton-test-image"


def docker(*words: str) -> str:
    """Run docker; returns what it prints."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """Return an image built by ``make image`` on a base made here."""
    base = "plancton-test-base:latest"
    docker("import", str(built() / "base.tar"), base)
    try:
        command = [
            "make",
            "-C",
            str(ROOT),
            "image",
            f"IMAGE={NAME}",
            f"ARGS=--build-arg BASE={base}",
        ]
        subprocess.run(command, check=True, timeout=600)
        yield NAME
    finally:
        for tag in (NAME, base):
            subprocess.run(["docker", "image", "rm", "-f", tag], check=False, capture_output=True)


@pytest.fixture
def run(image: str, instance: str, tmp_path: Path) -> Iterator[str]:
    """Return a running container of it, as the compose file runs it but for the folders."""
    service = yaml.safe_load((ROOT / "contrib/compose.yaml").read_text())["services"]["plancton"]
    pilot = {"command": "sleep 1000", "network": "none", "cpus": 0.5, "grace": "2s"}
    config = {"node": {"instance": instance, "interval": "1s"}, "pilots": [pilot]}
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/config.yaml").write_text(json.dumps({**config, "spawn": {"maximum": 1}}))
    words = ["run", "-d", "--name", instance, "--network", service["network_mode"]]
    words += ["--pid", service["pid"], "--cgroupns", service["cgroup"]]
    words += [f"--cap-drop={each}" for each in service["cap_drop"]]
    words += [f"--cap-add={each}" for each in service["cap_add"]]
    words += [f"--security-opt={each}" for each in service["security_opt"]]
    words += ["--health-interval=1s", "--health-start-period=20s"]
    for volume in service["volumes"]:
        host, inside, *_ = volume.split(":")
        own = {"/etc/plancton": "etc", "/var/lib/plancton": "lib", "/var/log/plancton": "log"}
        words += ["-v", f"{tmp_path / own[host]}:{inside}" if host in own else volume]
    rundir = tmp_path / "run"
    words += ["-v", f"{rundir}:{rundir}", image, "serve", "--rundir", str(rundir)]
    words += ["--config", "/etc/plancton/config.yaml"]
    docker(*words)
    yield instance
    docker("rm", "-f", instance)


def test_it_serves_is_healthy_and_protects(run: str, tmp_path: Path) -> None:
    """Pilots in the idle class, status by exec and by the host's own look at the socket."""
    rundir = str(tmp_path / "run")

    def status() -> dict[str, object]:
        found: dict[str, object] = json.loads(
            docker("exec", run, "plancton", "status", "--json", "--rundir", rundir)
        )
        return found

    def well() -> bool:
        command = ["docker", "exec", run, "plancton", "health", "--rundir", rundir]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    until(well, 30)
    until(lambda: len(status()["pilots"]) == 1, 30)  # type: ignore[arg-type]
    seen = status()
    assert seen["protection"] == "idle class"
    host = seen["host"]
    assert isinstance(host, dict)
    assert host["disk_free"] > 0
    listed = docker("ps", "-q", "--filter", f"label=io.plancton.instance={run}")
    assert len(listed.split()) == 1
    docker("stop", run)
    assert docker("inspect", "-f", "{{.State.ExitCode}}", run) == "0"
    assert docker("ps", "-q", "--filter", f"label=io.plancton.instance={run}") == listed


def test_the_health_check_is_in_the_image(image: str) -> None:
    """Docker asks the engine itself."""
    check = docker("image", "inspect", "-f", "{{json .Config.Healthcheck.Test}}", image)
    assert json.loads(check) == ["CMD", "plancton", "health"]
