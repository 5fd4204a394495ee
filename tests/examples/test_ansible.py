"""contrib/ansible for real, on this machine, with its own folders in the place of the system's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until
from tests.examples.image import ROOT
from tests.examples.tools import tool

PACKAGE = "ansible-core==2.17.14"
ROLES = ROOT / "contrib/ansible"
PROGRAM = "/opt/plancton/bin/plancton"
pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


class Box:
    """The machine with its own /etc, /opt, /run, /var/lib and /var/log, and the same Docker."""

    def __init__(self, folder: Path) -> None:
        """Enter it by a process that holds the mounts, in a namespace where only we see them."""
        script = ["set -e", f"cd {folder}", "mkdir opt run", "mount --bind opt /opt"]
        for place in ("etc", "var/lib", "var/log"):
            up, work = f"up/{place}", f"work/{place}"
            layers = f"lowerdir=/{place},upperdir={folder}/{up},workdir={folder}/{work}"
            script += [f"mkdir -p {up} {work}", f"mount -t overlay -o {layers} none /{place}"]
        script += ["touch run/docker.sock", "mount --bind /run/docker.sock run/docker.sock"]
        script += ["mount --rbind run /run", "echo ready", "exec sleep infinity"]
        words = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "sh", "-c", "\n".join(script)]
        self._holder = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == b"ready\n"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        enter = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--"]
        values = {**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(
            [*enter, *words], capture_output=True, text=True, check=False, timeout=300, env=values
        )

    def close(self) -> None:
        """Let it go; the mounts vanish with the last process in it."""
        self.run(PROGRAM, "force-stop")
        self._holder.kill()
        self._holder.communicate()


@pytest.fixture
def box(instance: str, tmp_path: Path) -> Iterator[Box]:
    """Return a box; Plancton in it is ended afterwards, with its pilots."""
    folder = tmp_path / "box"
    folder.mkdir()
    made = Box(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return the wheel of this repository, built from a copy."""
    copy = tmp_path / "source"
    shutil.copytree(ROOT / "plancton", copy / "plancton")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*pip, str(copy)], check=True, capture_output=True, timeout=300)
    (made,) = tmp_path.glob("plancton-*.whl")
    return made


def test_it_sets_a_node_up_and_again_changes_nothing(
    box: Box, wheel: Path, instance: str, tmp_path: Path
) -> None:
    """Installed, configured, started by one command; a new configuration is taken over."""
    source = tmp_path / "config.yaml"
    pilot = {"command": "sleep 1000", "network": "none", "cpus": 0.02, "memory": "16MiB"}
    values = {"node": {"instance": instance, "interval": "1s"}, "pilots": [pilot]}
    source.write_text(json.dumps({**values, "spawn": {"maximum": 1}}))

    def play() -> dict[str, int]:
        settings: dict[str, object] = {"plancton_pip_options": ["--no-compile"]}
        settings |= {"plancton_package": str(wheel), "plancton_source": str(source)}
        settings |= {"ansible_connection": "local", "ansible_become": "false"}
        settings |= dict.fromkeys(("plancton_python", "ansible_python_interpreter"), sys.executable)
        words = ["-i", "localhost,", f"{ROLES}/site.yml", "-e", json.dumps(settings)]
        done = box.run(tool("ansible-playbook", PACKAGE), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        recap = done.stdout.rpartition("localhost")[2].split()
        return {key: int(value) for key, _, value in (w.partition("=") for w in recap if "=" in w)}

    def told() -> dict[str, object]:
        found: dict[str, object] = json.loads(box.run(PROGRAM, "status", "--json").stdout or "{}")
        return found

    assert play()["changed"] == 4
    process = told()["pid"]
    assert told()["instance"] == instance
    again = play()
    assert (again["changed"], again["failed"]) == (0, 0)
    assert told()["pid"] == process

    source.write_text(json.dumps({**values, "spawn": {"maximum": 0}}))
    assert play()["changed"] == 1
    until(lambda: told()["maximum"] == 0, 60)
    assert told()["pid"] == process


def test_the_system_is_left_as_it_was() -> None:
    """What the box was for."""
    for place in ("/etc/plancton", PROGRAM, "/run/plancton.pid"):
        assert not Path(place).exists()
