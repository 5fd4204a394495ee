"""Two Docker Engines of the tests' own in one swarm, each with a name, a network and a /run."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from plancton.engine.api import NotRunningError
from plancton.runtime.docker import container_spec as spec
from plancton.service.node import LocalNode
from plancton.service.process.paths import Paths
from tests.conftest import INSTANCE, until
from tests.examples import image

STACK = "plancton"
PORT = 8000
_TIED = ("setpriv", "--pdeathsig=KILL")
_WHERE = "10.231.7."


class Machine:
    """One node: a dockerd that takes itself for alone on a machine."""

    def __init__(self, folder: Path, number: int) -> None:
        """Prepare; nothing runs yet."""
        self.folder, self.name = folder, f"pt{os.getpid()}n{number}"
        self.address = f"{_WHERE}{10 + number}"
        self.url = f"unix://{folder}/run/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        for each in ("run", "lib"):
            (folder / each).mkdir(parents=True)
        (folder / "daemon.json").write_text("{}")
        _do("ip", "netns", "add", self.name)

    def start(self) -> None:
        """Start the engine with the machine's own /run and /var/lib/docker."""
        at = shlex.quote(str(self.folder))
        script = (
            f"hostname {self.name} && mkdir -p /var/lib/docker"
            f" && mount --bind {at}/lib /var/lib/docker && mount --bind {at}/run /run"
            f" && exec dockerd --config-file {at}/daemon.json --cgroup-parent /{self.name}"
        )
        command = [*_TIED, "nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount"]
        command += ["--uts", "--propagation", "private", "sh", "-c", script]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, 60)

    def _answers(self) -> bool:
        ask = ["timeout", "3", "docker", "-H", self.url, "version"]
        return subprocess.run(ask, capture_output=True, check=False).returncode == 0

    def docker(self, *words: str, check: bool = True, env: dict[str, str] | None = None) -> str:
        """Run docker on this machine; returns what it prints."""
        command = ["docker", "-H", self.url, *words]
        values = {**os.environ, **(env or {})}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, env=values
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def plancton(self) -> set[str]:
        """Return the IDs of the Plancton containers that run here."""
        label = f"label=com.docker.swarm.service.name={STACK}_plancton"
        return set(self.docker("ps", "-q", "--no-trunc", "--filter", label).split())

    def pilots(self) -> set[str]:
        """Return the IDs of the pilots that run here."""
        label = f"label={spec.INSTANCE}={INSTANCE}"
        return set(self.docker("ps", "-q", "--filter", label).split())

    def status(self) -> dict[str, Any]:
        """Return what ``plancton status --json`` in the container prints; empty: none answers."""
        for id_ in self.plancton():
            text = self.docker("exec", id_, "plancton", "status", "--json", check=False)
            values: dict[str, Any] = json.loads(text) if text else {}
            return values
        return {}

    def told(self) -> dict[str, Any]:
        """Return the settings that Plancton has in force, by its socket here; empty: none answers.

        That is quicker than by the command in the container.
        """
        rundir = self.folder / "run/plancton"
        node = LocalNode(Paths(self.folder, rundir, self.folder, self.folder))
        try:
            return {each.key: json.loads(each.value) for each in node.engine.settings()}
        except NotRunningError:
            return {}

    def close(self) -> None:
        """End all that runs here, and leave nothing."""
        if self.process and self.process.poll() is None:
            left = self.docker("ps", "-aq", check=False).split()
            self.docker("rm", "-f", *left, check=False) if left else ""
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
            self.process.kill()
            self.process.wait()
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        for place in Path("/sys/fs/cgroup").glob(f"*/{self.name}"):
            place.rmdir()


class Fleet:
    """The machines, and the one place where their configuration comes from."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing runs yet."""
        self.folder = folder
        self.served = folder / "served"
        self.served.mkdir()
        self.machines: list[Machine] = []
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the engines, the first one a manager, and the server of the configuration."""
        files = self.folder / "image.tar"
        image.archive(files)
        busybox = self.folder / "busybox.tar"
        _do("docker", "save", "-o", str(busybox), "busybox:latest")
        for number in (1, 2):
            self.machines.append(Machine(self.folder / f"node{number}", number))
        self._connect()
        for machine in self.machines:
            machine.start()
            image.load(files, "plancton:1", machine.url)
            machine.docker("tag", "plancton:1", "plancton:2")
            machine.docker("load", "-q", "-i", str(busybox))
        self.manager.docker("swarm", "init", "--advertise-addr", self.manager.address)
        serve = [*_TIED, "nsenter", f"--net=/run/netns/{self.manager.name}", sys.executable]
        serve += ["-m", "http.server", "--directory", str(self.served), str(PORT)]
        with (self.folder / "server").open("wb") as log:
            self._server = subprocess.Popen(serve, stdout=log, stderr=log)

    @property
    def manager(self) -> Machine:
        """The machine that is told what the swarm shall do."""
        return self.machines[0]

    def _connect(self) -> None:
        """Lay a cable between the two."""
        one, two = self.machines
        ends = ["peer", "name", "eth0", "netns", two.name]
        _do("ip", "-n", one.name, "link", "add", "eth0", "type", "veth", *ends)
        for machine in self.machines:
            _do("ip", "-n", machine.name, "addr", "add", f"{machine.address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _do("ip", "-n", machine.name, "link", "set", link, "up")

    def join(self, machine: Machine) -> None:
        """Make it a node of the swarm."""
        token = self.manager.docker("swarm", "join-token", "-q", "worker")
        machine.docker("swarm", "join", "--token", token, f"{self.manager.address}:2377")

    def configure(self, on_stop: str, maximum: int) -> None:
        """Change the fleet's remote configuration."""
        pilot = {"command": "sleep 1000", "network": "none", "cpus": 0.02, "memory": "16MiB"}
        node = {"interval": "1s", "on_stop": on_stop}
        values = {"node": node, "pilots": [{**pilot, "grace": "2s"}], "spawn": {"maximum": maximum}}
        (self.served / "new").write_text(json.dumps(values))
        (self.served / "new").replace(self.served / "plancton.yaml")

    def deploy(self, tag: str, revision: int, **groups: Any) -> None:
        """Run the one command, with an image, and with the nodes' own part of a revision."""
        url = f"http://{self.manager.address}:{PORT}/plancton.yaml"
        remote = {"url": url, "allow_http": True, "interval": "1s"}
        local = {"node": {"instance": INSTANCE}, "remote": remote, **groups}
        shutil.copy(image.ROOT / "contrib/swarm.yml", self.folder)
        (self.folder / "fleet.yaml").write_text(json.dumps(local))
        # Swarm waits for the first health check, so here it must not take half a minute.
        check = {"test": ["CMD", "plancton", "health"], "interval": "3s", "timeout": "15s"}
        soon = {"version": "3.8", "services": {"plancton": {"healthcheck": check}}}
        (self.folder / "soon.yml").write_text(json.dumps(soon))
        files = ["-c", f"{self.folder}/swarm.yml", "-c", f"{self.folder}/soon.yml"]
        values = {"PLANCTON_IMAGE": tag, "PLANCTON_REVISION": str(revision)}
        words = ["stack", "deploy", "--resolve-image", "never", *files, STACK]
        self.manager.docker(*words, env=values)

    def close(self) -> None:
        """End all of it."""
        if self._server:
            self._server.kill()
            self._server.wait()
        if self.machines and self.manager.process:
            self.manager.docker("stack", "rm", STACK, check=False)
        for machine in reversed(self.machines):
            machine.docker("swarm", "leave", "--force", check=False)
            machine.close()
        for place in Path("/sys/fs/cgroup").glob(f"*/plancton-{INSTANCE}"):
            place.rmdir()
        shutil.rmtree(self.folder)


def _do(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
