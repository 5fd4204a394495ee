"""A real registry on loopback, and images that come from it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import requests

from plancton.runtime.docker.client import DockerClient
from tests.conftest import INSTANCE, until

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFESTS = "application/vnd.docker.distribution.manifest.list.v2+json"
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
        made = self.client.create_container("busybox", ["true"])  # it never starts
        self.client.put_archive(made["Id"], "/", _filling())
        self.client.commit(made["Id"], name, "new", changes=[f"LABEL mark={mark}", *changes])
        self.client.remove_container(made["Id"])
        for line in self.client.push(name, "new", stream=True, decode=True):
            assert "error" not in line, line
        id_ = str(self.client.inspect_image(f"{name}:new")["Id"])
        self.client.remove_image(f"{name}:new")
        self.pushed.append(id_)
        self._move_tag()
        return id_

    def make_foreign(self, *, listed: bool = False) -> None:
        """Have the tag mean an image for s390x; *listed*: a list that has nothing else."""
        place = f"{self._place}/manifests/latest"
        manifest = requests.get(place, headers={"Accept": MANIFEST}, timeout=10).json()
        blob = f"{self._place}/blobs/{manifest['config']['digest']}"
        config = {**requests.get(blob, timeout=10).json(), "architecture": "s390x"}
        manifest["config"] |= self._upload(json.dumps(config).encode())
        content = json.dumps(manifest).encode()
        self._put("latest", content, MANIFEST)
        self.pushed.append(manifest["config"]["digest"])
        if listed:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            entry = {"mediaType": MANIFEST, "size": len(content), "digest": digest}
            entry |= {"platform": {"architecture": "s390x", "os": "linux"}}
            both = {"schemaVersion": 2, "mediaType": MANIFESTS, "manifests": [entry]}
            self._put("latest", json.dumps(both).encode(), MANIFESTS)

    def _upload(self, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = requests.post(f"{self._place}/blobs/uploads/", timeout=10)
        where = f"{begun.headers['Location']}&digest={digest}"
        done = requests.put(where, data=content, timeout=10)
        assert done.ok, done.text
        return {"digest": digest, "size": len(content)}

    def _put(self, tag: str, content: bytes, kind: str) -> None:
        place, headers = f"{self._place}/manifests/{tag}", {"Content-Type": kind}
        done = requests.put(place, data=content, headers=headers, timeout=10)
        assert done.ok, done.text

    @property
    def _place(self) -> str:
        repository = self.reference.partition("/")[2].rpartition(":")[0]
        return f"http://127.0.0.1:{self.port}/v2/{repository}"

    def _move_tag(self) -> None:
        """Have "latest" mean what "new" does."""
        new = requests.get(f"{self._place}/manifests/new", headers={"Accept": MANIFEST}, timeout=10)
        self._put("latest", new.content, MANIFEST)


def _filling() -> bytes:
    """Return an archive with a file that no other image has."""
    packed, member = io.BytesIO(), tarfile.TarInfo("filling")
    member.size = SIZE
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(os.urandom(SIZE)))
    return packed.getvalue()
