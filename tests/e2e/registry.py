"""A real registry on loopback, and images that come from it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import requests

from plancton.runtime.docker.client import DockerClient
from tests.conftest import INSTANCE, until

SIZE = 100_000
"""Bytes that each image has for itself."""


class Registry:
    """Debian's registry on a free port of loopback."""

    def __init__(self, folder: Path, client: DockerClient) -> None:
        """Write its configuration; logins are user:secret once ``lock`` was called."""
        self.folder, self.client = folder, client
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.reference = f"127.0.0.1:{self.port}/{INSTANCE}/pilot:latest"
        self.auth = ""
        self.pushed: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    def lock(self) -> None:
        """Ask for a login from the next start on."""
        made = subprocess.run(
            ["htpasswd", "-Bbn", "user", "secret"], capture_output=True, check=True
        )
        (self.folder / "htpasswd").write_bytes(made.stdout)
        self.auth = f"auth: {{htpasswd: {{realm: r, path: {self.folder}/htpasswd}}}}\n"

    def start(self) -> None:
        """Start it and wait until it listens."""
        config = self.folder / "config.yml"
        storage = f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}}}\n"
        http = f"http: {{addr: '127.0.0.1:{self.port}'}}\n"
        config.write_text(f"version: 0.1\n{storage}{http}{self.auth}")
        with (self.folder / "log").open("ab") as log:
            command = ["docker-registry", "serve", str(config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Stop it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def push(self, mark: str, *changes: str) -> str:
        """Have the tag mean a new image in the registry, and return its ID.

        On the node nothing remains of it, and the tag means what it meant.
        """
        name = self.reference.rpartition(":")[0]
        fill = f"head -c {SIZE} /dev/urandom > /filling"
        made = self.client.create_container("busybox", ["sh", "-c", fill], network_disabled=True)
        self.client.start(made["Id"])
        self.client.wait(made["Id"])
        self.client.commit(made["Id"], name, "new", changes=[f"LABEL mark={mark}", *changes])
        self.client.remove_container(made["Id"])
        for line in self.client.push(name, "new", stream=True, decode=True):
            assert "error" not in line, line
        id_ = str(self.client.inspect_image(f"{name}:new")["Id"])
        self.client.remove_image(f"{name}:new")
        self.pushed.append(id_)
        self._move_tag()
        return id_

    def _move_tag(self) -> None:
        """Have "latest" mean what "new" does."""
        repository = self.reference.partition("/")[2].rpartition(":")[0]
        place = f"http://127.0.0.1:{self.port}/v2/{repository}/manifests"
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        new = requests.get(f"{place}/new", headers={"Accept": kind}, timeout=10)
        moved = requests.put(
            f"{place}/latest", data=new.content, headers={"Content-Type": kind}, timeout=10
        )
        assert moved.ok, moved.text
