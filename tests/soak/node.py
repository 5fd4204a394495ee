"""The node that is walked on: a Docker of its own, something in front of it, and Plancton."""

from __future__ import annotations

import http.server
import json
import os
import random
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import APIError

from plancton.engine.api import NotRunningError
from plancton.runtime.docker import container_spec as spec
from plancton.runtime.docker.client import DockerClient, docker_url
from plancton.runtime.docker.creator import SPARE_SUFFIX
from plancton.runtime.docker.timestamps import epoch_of
from tests.conftest import until
from tests.e2e.daemon import Daemon
from tests.e2e.docker_proxy import DockerProxy
from tests.e2e.service import Service

MAXIMUM = 3
"""Most pilots of any configuration of the walk."""
TTL, GRACE = 15.0, 2.0
_DISK = "8M"


class RemoteFile:
    """A web server with one file, whose status and text the walk changes."""

    def __init__(self) -> None:
        """Serve from now on."""
        self.status, self.body = 200, b"{}"
        remote = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(remote.status)
                self.send_header("Content-Length", str(len(remote.body)))
                self.end_headers()
                self.wfile.write(remote.body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/config.yaml"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class Node:
    """What the steps act on, and what the invariants look at."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        """Bring it up, with a good configuration and some containers of other people."""
        self.folder, self.chance = folder, chance
        self.instance = f"soak{os.getpid()}"
        self.daemon = Daemon(folder / "d", f"plt{os.getpid()}", live_restore=True)
        self.remote = RemoteFile()
        self.load: list[subprocess.Popen[bytes]] = []
        self.foreign: dict[str, str] = {}
        """When containers that are not ours to touch were started, by ID."""
        self.left_alone: set[str] = set()
        """Pilots that somebody renamed: by their labels they are copies."""
        self.stopped = False
        """Whether Plancton's process is held by SIGSTOP."""
        self.hurt_at = time.monotonic()
        """When last something kept Plancton from its work."""
        self.allowed_codes = {0}
        """How Plancton may end after the last step."""
        self.daemon.start()
        archive = folder / "busybox.tar"
        save = ["docker", "-H", docker_url(), "save", "-o", str(archive), "busybox"]
        subprocess.run(save, check=True)
        self.daemon.load(archive)
        self.proxy = DockerProxy(folder / "p.sock", self.daemon.socket)
        self.service = Service(folder, self.instance, docker=self.proxy.url)
        for name in ("state", "log"):
            (folder / name).mkdir()
            options = ["-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder / name)]
            subprocess.run(["mount", *options], check=True)
        self.docker = DockerClient(self.daemon.url, timeout=30)
        self.make_foreign()
        self.write_good()

    def close(self) -> None:
        """Leave nothing."""
        self.idle()
        self.service.close()
        self.remote.close()
        self.proxy.close()
        self.docker.close()
        for name in ("state", "log"):
            subprocess.run(["umount", "-l", str(self.folder / name)], check=False)
        self.daemon.close()
        for pattern in ("/*/", "/"):
            for place in Path("/sys/fs/cgroup").glob(f"*/plancton-{self.instance}{pattern}"):
                with suppress(OSError):
                    place.rmdir()

    # --- Plancton -----------------------------------------------------------------------

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self.service.process is not None and self.service.process.poll() is None

    @property
    def answers(self) -> bool:
        """Whether it tells how it is."""
        with suppress(NotRunningError, OSError):
            return bool(self.service.status())
        return False

    def start(self) -> None:
        """Start it, if it does not run."""
        if not self.runs:
            self.allowed_codes = {0, 1}  # as asked while it was away, or refused
            self.service.launch()
            until(lambda: not self.runs or self.answers, 60)

    def verb(self, *words: str, codes: tuple[int, ...] = (0, 1, 3)) -> str:
        """Run a verb: it ends with a known code, and a failure is one line."""
        done = self.service.run(*words)
        text = f"plancton {' '.join(words)}: {done.returncode} {done.stdout} {done.stderr}"
        assert done.returncode in codes, text
        assert "Traceback" not in text, text
        assert not done.returncode or done.stderr.strip(), text
        return done.stdout

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.runs and self.service.process:
            self.service.process.send_signal(number)

    def hurt(self) -> None:
        """Take down that Plancton is kept from its work now."""
        self.hurt_at = time.monotonic()

    # --- its surroundings ---------------------------------------------------------------

    def pilots(self) -> list[dict[str, Any]]:
        """Return Docker's list of our containers, but for those that are not ours to touch."""
        filters = {"label": f"{spec.INSTANCE}={self.instance}"}
        listed = self.docker.containers(all=True, filters=filters)
        others = self.left_alone | set(self.foreign)
        return [each for each in listed if each["Id"] not in others]

    def began(self, item: dict[str, Any]) -> float | None:
        """Return when a listed pilot began, seconds of the epoch; None: it has not, or is a spare.

        One that was a spare was started before it began.
        """
        name = str(item["Names"][0]).lstrip("/") if item["Names"] else ""
        if name.endswith(SPARE_SUFFIX):
            return None
        with suppress(OSError, ValueError):
            return float((self.service.rundir / "pilots" / name / "began").read_text())
        return epoch_of(self.docker.inspect_container(item["Id"])["State"]["StartedAt"])

    def victim(self) -> str | None:
        """Return the ID of some pilot."""
        ids = sorted(each["Id"] for each in self.pilots())
        return self.chance.choice(ids) if ids else None

    def make_foreign(self) -> None:
        """Run containers whose names and labels look like pilots'."""
        ours = {spec.INSTANCE: self.instance, spec.PROFILE: "default"}
        for name, labels in (
            ("plancton-worker-abc", {}),
            ("plancton-default-other1", {spec.INSTANCE: "other", spec.TTL: "1"}),
            ("mine", {**ours, spec.NAME: "plancton-default-gone11", spec.TTL: "1"}),
            ("plancton-default-nonsen", {**ours, spec.MEMORY: "inf", spec.TTL: "-7"}),
        ):
            made = self.docker.create_container(
                "busybox", ["sleep", "100000"], name=name, labels=labels,
                host_config=self.docker.create_host_config(network_mode="none"),
            )  # fmt: skip
            self.docker.start(made["Id"])
            self.foreign[made["Id"]] = self.started_at(made["Id"])

    def started_at(self, id_: str) -> str:
        """Return when a container was started; empty: it is gone, or does not run."""
        with suppress(APIError):
            state = self.docker.inspect_container(id_)["State"]
            return str(state["StartedAt"]) if state["Running"] else ""
        return ""

    def write_good(self, *, remote: bool = False, **spawn: Any) -> None:
        """Write a configuration that is good."""
        commands = [
            "sleep 1000",
            "sleep 2",
            "false",
            "sh -c 'trap : TERM; while :; do sleep 1; done'",
        ]
        pilot = {"cpus": 0.3, "ttl": f"{TTL}s", "grace": f"{GRACE}s", "memory": "20MB"}
        pilot["command"] = self.chance.choice(commands)
        values = {"maximum": self.chance.randint(0, MAXIMUM), "min_room": 0.3, "backoff": "1s"}
        values |= {"short_life": 0, "spare": self.chance.random() < 0.5} | spawn
        groups: dict[str, Any] = {"spawn": values}
        if remote:
            far = {"url": self.remote.url, "allow_http": True, "interval": "1s"}
            groups["remote"] = far
        self.service.configure(pilot, image={"pull": False}, **groups)

    def set_remote(self, body: bytes, status: int = 200) -> None:
        """Have the web server answer so."""
        self.remote.body, self.remote.status = body, status

    def fill(self, name: str) -> None:
        """Leave no room on the disk of the state or log folder."""
        with (self.folder / name / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(65536))

    def burn(self, seconds: int) -> None:
        """Load a core for some time."""
        words = ["timeout", str(seconds), "sh", "-c", "while :; do :; done"]
        self.load.append(subprocess.Popen(words))

    def idle(self) -> None:
        """Let go what holds Plancton or Docker up."""
        for each in self.load:
            each.terminate()
            each.wait()
        self.load.clear()
        self.proxy.behave()
        self.go_on()
        for name in ("state", "log"):
            (self.folder / name / "filler").unlink(missing_ok=True)
        if not self.daemon.answers():
            self.daemon.start()

    def go_on(self) -> None:
        """Let Plancton's process run again."""
        if self.stopped:
            self.hurt()
            self.signal(signal.SIGCONT)
            self.stopped = False

    def config_json(self, **values: Any) -> bytes:
        """Return a configuration as text."""
        return json.dumps(values).encode()
