"""A guest's container engines as an administrator sets them up, and images for their pilots."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.conftest import until
from tests.vm.guest import Guest

ENGINES = ("docker", "containerd", "podman")
"""Docker with its own image store, Docker with containerd's, and Podman by its socket."""
REGISTRY = "127.0.0.1:5000"
REFERENCE = f"{REGISTRY}/pilot:latest"
_LISTED = "--filter label=io.plancton.instance=root"
_IMAGE_STORE = "io.containerd.snapshotter.v1"
# Has one tag of the registry mean what another does.
_RETAG = """
import sys, urllib.request as web
place = "http://{registry}/v2/pilot/manifests/"
oci, own = "application/vnd.oci.image.%s.v1+json", "application/vnd.docker.distribution.%s+json"
kinds = oci % "manifest", oci % "index", own % "manifest.v2", own % "manifest.list.v2"
with web.urlopen(web.Request(place + "new", headers=dict(Accept=", ".join(kinds)))) as got:
    found, kind = got.read(), got.headers["Content-Type"]
put = web.Request(place + "latest", found, dict([("Content-Type", kind)]), method="PUT")
web.urlopen(put).close()
"""
_ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(30)
    peer.connect("/run/plancton/plancton.sock")
    peer.sendall(sys.argv[1].encode())
    print(b"".join(iter(lambda: peer.recv(65536), b"")).partition(b"\\r\\n\\r\\n")[2].decode())
"""
_REGISTRY = """
version: 0.1
storage: {{filesystem: {{rootdirectory: /root/registry}}}}
http: {{addr: '{registry}'}}
"""


class Engine:
    """One engine, with a registry beside it, and what its own command line says."""

    def __init__(self, guest: Guest, kind: str) -> None:
        """Use the engine of one of the ``ENGINES``."""
        self.guest, self.kind = guest, kind
        self.podman = kind == "podman"
        self.command = "podman" if self.podman else "docker"
        self.units = "podman.socket podman.service" if self.podman else "docker.service"
        self.url = "unix:///run/podman/podman.sock" if self.podman else ""
        """What the configuration says as node.docker."""
        self.scope = "libpod" if self.podman else "docker"
        """What systemd's scopes of its containers begin with."""

    def set_up(self) -> None:
        """Switch it on, with its image store, and the registry; no image of pilots is on it."""
        features = {"containerd-snapshotter": self.kind == "containerd"}
        self.guest.write("/etc/docker/daemon.json", json.dumps({"features": features}))
        self.guest.run("systemctl reset-failed docker; systemctl restart docker", 180)
        if self.podman:
            insecure = f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n'
            self.guest.write("/etc/containers/registries.conf.d/pilots.conf", insecure)
            self.guest.run("systemctl enable --now podman.socket", 120)
        else:
            store = self.run("info -f '{{json .DriverStatus}}'", 120)
            assert (_IMAGE_STORE in store) == (self.kind == "containerd"), store
        self.start_registry()

    def start_registry(self) -> None:
        """Run the registry, unless it does."""
        self.guest.write("/root/registry.yml", _REGISTRY.format(registry=REGISTRY))
        start = "systemd-run --quiet --unit registry docker-registry serve /root/registry.yml"
        self.guest.run(f"systemctl is-active --quiet registry || {start}", 120)
        listens = f"python3 -c 'import urllib.request as w; w.urlopen(\"http://{REGISTRY}/v2/\")'"
        until(lambda: self.guest.call(listens).returncode == 0, 120, 2.0)

    def run(self, words: str, seconds: float = 120) -> str:
        """Return what its command line says."""
        return self.guest.run(f"{self.command} {words}", seconds)

    def pilots(self) -> set[str]:
        """Return the names of pilots that run or are frozen."""
        return set(self.run(f"ps {_LISTED} --format '{{{{.Names}}}}'").split())

    def containers(self) -> list[str]:
        """Return the IDs of all of Plancton's containers, those that have ended too."""
        return self.run(f"ps -a -q --no-trunc {_LISTED}").split()

    def image(self, reference: str = REFERENCE) -> str:
        """Return the ID of the image that a reference means on the node."""
        return _plain(self.run(f"image inspect -f '{{{{.Id}}}}' {reference}"))

    def images(self) -> set[str]:
        """Return the IDs of all images on the node, those without a name too."""
        return set(map(_plain, self.run("image ls -a -q --no-trunc").split()))

    def push(self, mark: str, *environment: str) -> None:
        """Have the pilots' reference mean a new image in the registry, which the node has not.

        It is pushed by Docker, whichever the engine.
        """
        changes = ['CMD ["sh"]', f"LABEL mark={mark}"]
        changes += [f"ENV {each}" for each in ("PATH=/bin", *environment)]
        options = " ".join(f"-c {shlex.quote(each)}" for each in changes)
        new = f"{REGISTRY}/pilot:new"
        self.guest.run(f"docker import {options} /opt/busybox.tar {new}", 180)
        self.guest.run(f"docker push --quiet {new} && docker image rm {new}", 180)
        self.guest.write("/root/retag.py", _RETAG.format(registry=REGISTRY))
        self.guest.run("python3 /root/retag.py")

    def versions(self) -> tuple[str, str]:
        """Return the engine and its version, and its storage driver."""
        if self.podman:
            version = self.run("version -f '{{.Client.Version}}'")
            return f"Podman {version}", self.run("info -f '{{.Store.GraphDriverName}}'")
        version, driver = self.run("info -f '{{.ServerVersion}} {{.Driver}}'").split()
        return f"Docker {version}", "containerd" if self.kind == "containerd" else driver


def _plain(id_: str) -> str:
    """Return an ID as it is without the name of its hash, which Podman does not always say."""
    return id_.removeprefix("sha256:")


def ask(guest: Guest, method: str, path: str) -> dict[str, Any]:
    """Return what Plancton's control socket answers, as quickly as the guest can; nothing if none.

    The command line takes seconds there.
    """
    line = f"{method} {path} HTTP/1.0\r\n\r\n"
    done = guest.call(f"python3 -SE - {shlex.quote(line)}", 60, data=_ASK.encode())
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def status(guest: Guest) -> dict[str, Any]:
    """Return the newest snapshot; nothing if no engine answers."""
    found = ask(guest, "GET", "/v1/status")
    return found if "pilots" in found else {}
