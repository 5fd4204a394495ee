"""An engine over TCP with TLS: a real one, with certificates of the tests' own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.client import DockerClient, open_client
from plancton.runtime.docker.engine_url import EngineUrl, docker_url
from tests.certificates import Authority
from tests.conftest import INSTANCE, remove_cgroups, until
from tests.e2e.daemon import Daemon
from tests.e2e.service import Service

pytestmark = pytest.mark.docker
NET = f"10.219.{os.getpid() % 250}"
NAMED, UNNAMED = f"{NET}.2", f"{NET}.3"
URL, OTHER_URL = f"tcp://{NAMED}:2376", f"tcp://{UNNAMED}:2376"


class TlsDaemon(Daemon):
    """A daemon that listens on TCP for clients of one authority; its certificate has one name."""

    def __init__(self, folder: Path, name: str, authority: Authority) -> None:
        """Prepare it, its network and its certificates."""
        super().__init__(folder, name, live_restore=False)
        self.authority = authority
        names = f"IP:{NAMED}"
        self.good = authority.sign(folder / "server", "server", names=names)
        self.expired = authority.sign(folder / "old", "server", names=names, expired=True)
        self.client = authority.sign(folder / "client", "client")
        self.link(NAMED, UNNAMED)
        self.present(self.good)

    def present(self, certs: Path) -> None:
        """Show a certificate from the next start on."""
        files = ("--tlscacert", "ca"), ("--tlscert", "cert"), ("--tlskey", "key")
        self.options = ["--host", "tcp://0.0.0.0:2376", "--tlsverify"]
        self.options += [word for key, file in files for word in (key, f"{certs}/{file}.pem")]


@pytest.fixture(scope="module")
def daemon(archive: Path) -> Iterator[TlsDaemon]:
    """Return a running one."""
    with tempfile.TemporaryDirectory(prefix="plt-") as name:
        folder = Path(name)
        made = TlsDaemon(folder / "d", f"plt{os.getpid()}", Authority(folder / "ca"))
        try:
            made.start()
            made.load(archive)
            yield made
        finally:
            made.close()
        remove_cgroups(f"plancton-{INSTANCE}")


def said_of(url: EngineUrl) -> str:
    """Return why an engine cannot be used."""
    with pytest.raises(RuntimeUnavailableError) as caught, open_client(url, timeout=10):
        pass
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_life_of_pilots(daemon: TlsDaemon, tmp_path: Path, instance: str) -> None:
    """By the keys of the configuration; adopted after a restart, and force-stop needs no keys."""
    service = Service(tmp_path, instance, docker=URL)
    pilot = {"command": ["sh", "-c", "echo hello; sleep 1000"], "cpus": 0.3}
    spawn = {"maximum": 1, "short_life": 0, "backoff": "1s"}
    node = {"docker_certs": str(daemon.client)}
    service.configure(pilot, spawn=spawn, node=node, image={"pull": False})
    client = DockerClient(daemon.url, timeout=30)
    try:
        service.start()
        until(service.names)
        (first,) = service.names()
        assert service.status()["protection"] == "idle class"
        until(lambda: service.run("logs", first).stdout == "hello\n")
        assert service.run("freeze", first).returncode == 0
        assert client.inspect_container(first)["State"]["Paused"]
        assert service.run("thaw", first).returncode == 0
        client.kill(first)
        until(lambda: service.names() and first not in service.names())
        kept = service.names()
        assert f"at {URL}" in service.run("doctor", config=True).stdout
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        service.start()
        until(lambda: service.names() == kept)
        assert service.stop() == 0
        ended = service.run("force-stop")
        assert "1 pilot ended and removed" in ended.stdout, ended.stderr
        assert client.containers(all=True) == []
        assert "Traceback" not in service.log
    finally:
        service.close()
        client.close()


def test_by_the_environment(daemon: TlsDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker's own client is told."""
    monkeypatch.setenv("DOCKER_HOST", URL)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(daemon.client))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")  # for other servers
    with open_client(docker_url(), timeout=10) as client:
        assert client.info()["DockerRootDir"] == str(daemon.folder / "data")
    monkeypatch.delenv("DOCKER_CERT_PATH")
    monkeypatch.setenv("DOCKER_CONFIG", str(daemon.client))
    with open_client(docker_url(), timeout=10) as client:
        assert client.ping()


def test_by_a_context(daemon: TlsDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Docker's own client writes them: chosen by the file, and by the environment."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    files = ",".join(f"{each}={daemon.client}/{each}.pem" for each in ("ca", "cert", "key"))
    _docker("context", "create", "far", "--docker", f"host={URL},{files}")
    _docker("context", "create", "near", "--docker", f"host={daemon.url}")
    assert docker_url() == "unix:///var/run/docker.sock"
    _docker("context", "use", "far")
    far = docker_url()
    assert (far, far.source) == (URL, "the Docker context far")
    with open_client(far, timeout=10) as client:
        assert client.info()["DockerRootDir"] == str(daemon.folder / "data")
    monkeypatch.setenv("DOCKER_CONTEXT", "near")
    assert docker_url() == daemon.url
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert docker_url() == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    assert docker_url() == "unix:///x"
    assert docker_url("unix:///y") == "unix:///y"


def _docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True, capture_output=True)


def test_certificates_that_are_refused(daemon: TlsDaemon, tmp_path: Path) -> None:
    """In one line that names the file: another authority, another name, none of ours."""
    other = Authority(tmp_path / "other").sign(tmp_path / "theirs", "client")
    unknown = said_of(EngineUrl(URL, certs=other))
    assert f"is not signed by the authority in {other}/ca.pem" in unknown
    named = said_of(EngineUrl(OTHER_URL, certs=daemon.client))
    assert f"signed by {daemon.client}/ca.pem, is not for {UNNAMED}" in named
    (other / "ca.pem").write_bytes((daemon.client / "ca.pem").read_bytes())
    assert f"it refuses {other}/cert.pem" in said_of(EngineUrl(URL, certs=other))
    old = daemon.authority.sign(tmp_path / "old", "client", expired=True)
    assert f"it refuses {old}/cert.pem, which has expired" in said_of(EngineUrl(URL, certs=old))
    for name in ("cert.pem", "key.pem"):
        (old / name).unlink()
    assert f"put cert.pem and key.pem into {old}" in said_of(EngineUrl(URL, certs=old))
    assert "speaks only TLS: name the folder" in said_of(EngineUrl(URL))


def test_an_engine_whose_certificate_has_expired(daemon: TlsDaemon) -> None:
    """Said, and used again once it has a new one."""
    daemon.signal(signal.SIGTERM)
    daemon.present(daemon.expired)
    daemon.start()
    try:
        said = said_of(EngineUrl(URL, certs=daemon.client))
        assert f"its certificate, or {daemon.client}/ca.pem, has expired" in said
    finally:
        daemon.signal(signal.SIGTERM)
        daemon.present(daemon.good)
        daemon.start()
    with open_client(EngineUrl(URL, certs=daemon.client), timeout=10) as client:
        assert client.ping()
