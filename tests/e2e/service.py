"""The installed command, run as an administrator runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from plancton.cli.app import app
from plancton.cli.render import as_json
from plancton.engine.api import NotRunningError
from plancton.service.node import LocalNode
from plancton.service.process.paths import Paths
from tests.conftest import until

CORES = os.cpu_count() or 1
PLANCTON = str(Path(sys.executable).with_name("plancton"))
STAND_IN = 'mount --bind "$0" /proc/stat && exec "$@"'


def remove_at_once(folder: Path) -> None:
    """Remove a folder in which a running service may make files at any moment."""
    gone = folder.with_name(f"{folder.name}-gone")
    folder.rename(gone)
    shutil.rmtree(gone)


class Service:
    """One node's Plancton: its files below a folder, and its process if it runs.

    What else runs on the machine is no foreground to it, so that the room is the same on a busy
    machine; unless it is made with *measures*, which needs a machine with nothing else to do.
    """

    def __init__(
        self, folder: Path, instance: str, docker: str = "", uid: int = 0, *, measures: bool = False
    ) -> None:
        """Prepare; nothing runs yet. It is run by *uid*, who may use Docker."""
        self.uid, self.measures = uid, measures
        self.folder, self.instance, self.docker = folder, instance, docker
        self.rundir, self.config = folder / "run", folder / "config.yaml"
        self.process: subprocess.Popen[bytes] | None = None
        self.stat = folder / "stat"
        self.stat.write_text(Path("/proc/stat").read_text())
        self.configure()

    def configure(self, pilot: dict[str, Any] | None = None, **groups: Any) -> None:
        """Write the configuration: sleeping pilots without network, changed by what is given.

        What they leave idle is not promised to more of them.
        """
        profile = {"command": "sleep 1000", "network": "none", "grace": "2s", "memory": "50MB"}
        profile |= pilot or {}
        node = {"instance": self.instance, "interval": "1s", "docker": self.docker}
        spawn = {"maximum": "ncpus", "overcommit": "off", **groups.get("spawn", {})}
        values = {"pilots": [profile], **groups, "node": {**node, **groups.get("node", {})}}
        values["spawn"] = spawn
        self.write(json.dumps(values))

    def write(self, text: str) -> None:
        """Replace the configuration file at one stroke."""
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)

    def start(self) -> Service:
        """Start ``plancton serve`` and wait until it answers."""
        self.launch()
        until(self._answers, 60)
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.status())
        except NotRunningError:
            return False

    def launch(self) -> None:
        """Start ``plancton serve``."""
        log = (self.folder / "stderr").open("ab")
        # However the tests end, their service does not outlive them.
        command = ["setpriv", "--pdeathsig=KILL", *self.idle_node, PLANCTON, "serve"]
        command += ["--config", str(self.config), *self.options]
        with log:
            self.process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)

    @property
    def options(self) -> list[str]:
        """Where the files lie."""
        state = ["--statedir", str(self.folder / "state")]
        return ["--rundir", str(self.rundir), "--logdir", str(self.folder / "log"), *state]

    def run(self, *words: str, config: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a verb."""
        where = ["--rundir", str(self.rundir)]
        where += ["--config", str(self.config)] if config else []
        return self.command(*words, *where)

    def ask(self, *words: str) -> str:
        """Return what a verb prints, which must go well.

        In this process, for what the engine does or says and not the command: each process
        costs a quarter of a second of CPU.
        """
        done = CliRunner().invoke(app, [*words, "--rundir", str(self.rundir)])
        assert done.exit_code == 0, done.output
        return done.stdout

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command as the service's user."""
        environment = {**os.environ, "TMPDIR": str(self.folder)} if self.uid else None
        return subprocess.run(
            [*self.idle_node, *self.as_user, PLANCTON, *words],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env=environment,
        )

    @property
    def idle_node(self) -> list[str]:
        """What runs a command where the kernel's CPU counters stand still."""
        stand_in = ["unshare", "--mount", "sh", "-c", STAND_IN, str(self.stat)]
        return [] if self.measures else stand_in

    @property
    def as_user(self) -> list[str]:
        """What runs a command as the service's user, in the group of Docker's socket."""
        group = Path("/var/run/docker.sock").stat().st_gid
        who = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", f"--groups={group}"]
        # The interpreter may lie in root's home: to read and search is allowed, no more.
        who += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return who if self.uid else []

    def daemon(self, verb: str = "start") -> subprocess.CompletedProcess[str]:
        """Start it in the background, as ``plancton start`` does."""
        return self.command(verb, "--config", str(self.config), *self.options)

    @property
    def node(self) -> LocalNode:
        """The node as the verbs see it."""
        return LocalNode(Paths(self.config, self.rundir, self.folder, self.folder))

    def status(self) -> dict[str, Any]:
        """Return what ``status --json`` prints.

        Asked in this process: the command in a tight loop would itself be a busy foreground.
        """
        values: dict[str, Any] = json.loads(as_json(self.node.engine.snapshot()))
        return values

    def names(self, state: str = "running") -> set[str]:
        """Return the names of the pilots in a state, as Plancton tells."""
        return {p["name"] for p in self.status()["pilots"] if p["state"] == state}

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Send a signal and return the exit code."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def ended(self, seconds: float = 60) -> int:
        """Wait for the process to end by itself and return its exit code."""
        assert self.process
        return self.process.wait(seconds)

    def close(self) -> None:
        """Kill what still runs."""
        pid = self.node.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        """What was logged."""
        return (self.folder / "stderr").read_text()
