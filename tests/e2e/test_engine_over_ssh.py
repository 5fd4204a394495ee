"""An engine behind a real OpenSSH server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.client import open_client
from tests.conftest import until
from tests.e2e.conftest import Containers
from tests.e2e.service import Service
from tests.e2e.sshd import Sshd

pytestmark = pytest.mark.docker


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Return a running server; ours is the ssh that is found first."""
    made = Sshd(tmp_path / "sshd")
    monkeypatch.setenv("PATH", made.environment["PATH"])
    yield made
    made.close()


def clients(sshd: Sshd) -> list[psutil.Process]:
    """Return the processes of ssh that are connected to it."""
    mark = str(sshd.folder / "ssh_config")
    every = psutil.process_iter(["cmdline"])
    return [each for each in every if mark in (each.info["cmdline"] or ())]


def test_the_life_of_pilots(
    sshd: Sshd, tmp_path: Path, instance: str, containers: Containers
) -> None:
    """Ends are heard at once, logs can be followed, and no ssh is left."""
    service = Service(tmp_path, instance, docker=sshd.host())
    pilot = {"command": ["sh", "-c", "echo hello; sleep 1000"], "cpus": 0.3}
    spawn = {"maximum": 1, "short_life": 0, "backoff": "1s"}
    service.configure(pilot, spawn=spawn, node={"interval": "60s"})
    try:
        service.start()
        until(service.names)
        (first,) = service.names()
        assert service.status()["protection"] == "idle class"
        until(lambda: service.run("logs", first).stdout == "hello\n")
        assert service.run("freeze", first).returncode == 0
        assert containers.client.inspect_container(first)["State"]["Paused"]
        assert service.run("thaw", first).returncode == 0
        containers.client.kill(first)
        until(lambda: service.names() and first not in service.names(), 30)
        assert "at ssh://root@127.0.0.1" in service.run("doctor", config=True).stdout
        assert service.run("force-stop").returncode == 0
        assert service.ended() == 0
        assert containers.names(running=False) == set()
        assert "Traceback" not in service.log
    finally:
        service.close()
    until(lambda: not clients(sshd), 20)


def said_of(url: str) -> str:
    """Return why an engine cannot be used."""
    with pytest.raises(RuntimeUnavailableError) as caught, open_client(url, timeout=20):
        pass
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"Docker at {url} cannot be reached: ")
    return text


def test_what_goes_wrong(sshd: Sshd) -> None:
    """Each in one line, in words of its own; nothing is asked, nobody is waited for."""
    with open_client(sshd.host(), timeout=20) as client:
        assert client.ping()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "ssh: connect to host" in said_of(f"ssh://root@127.0.0.1:{unused.getsockname()[1]}")
    known = sshd.known.read_text()
    sshd.known.write_text("")
    assert "its host key is not known here: log in once by hand" in said_of(sshd.host())
    sshd.known.write_text(known)
    (sshd.folder / "user.pub").write_text("")
    assert "ssh is refused there" in said_of(sshd.host())
    until(lambda: not clients(sshd), 20)


def test_an_address_that_is_none() -> None:
    """A password, a path, no machine: said, and no ssh is run."""
    for url in ("ssh://", "ssh://-oProxyCommand=x", "ssh://a:b@host", "ssh://host/x", "ssh://h:x"):
        with pytest.raises(RuntimeUnavailableError, match="is not ssh://"):
            open_client(url, timeout=5).__enter__()
