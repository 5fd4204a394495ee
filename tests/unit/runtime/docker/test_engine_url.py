"""Where the engine is: what names it, in which order, and what is said of what cannot be used."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.client import unavailable_text
from plancton.runtime.docker.engine_host import other_machine
from plancton.runtime.docker.engine_url import DEFAULT_URL, EngineUrl, docker_url

VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Docker's folder; the environment says nothing else."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def context(folder: Path, name: str, text: str) -> Path:
    """Write a context's file."""
    place = folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    return place


def endpoint(host: str, **more: Any) -> str:
    """Return what a context's file says."""
    docker = {"Host": host, **more}
    return json.dumps({"Name": "x", "Metadata": {}, "Endpoints": {"docker": docker}})


def test_the_first_that_names_it_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key, DOCKER_HOST, DOCKER_CONTEXT, the current context, the usual socket."""
    assert (docker_url(), docker_url().source) == (DEFAULT_URL, "")
    context(folder, "lab", endpoint("unix:///lab.sock"))
    context(folder, "other", endpoint("unix:///other.sock"))
    (folder / "config.json").write_text('{"currentContext": "lab"}')
    assert (docker_url(), docker_url().source) == ("unix:///lab.sock", "the Docker context lab")
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert docker_url() == "unix:///other.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///host.sock")
    assert (docker_url(), docker_url().source) == ("unix:///host.sock", "DOCKER_HOST")
    assert docker_url("unix:///key.sock").source == "node.docker"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert docker_url() == DEFAULT_URL


def test_where_the_certificates_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key, DOCKER_CERT_PATH, Docker's folder if TLS is asked for, the context's own."""

    def certs(url: EngineUrl) -> str:
        return str(url.certificates.folder) if url.certificates else ""

    assert certs(docker_url("tcp://x:1")) == ""
    assert certs(docker_url("tcp://x:1", "/key")) == "/key"
    assert certs(docker_url("tcp://x:1", "here")) == str(Path("here").absolute())
    monkeypatch.setenv("DOCKER_HOST", "tcp://x:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "")
    assert certs(docker_url()) == ""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert certs(docker_url()) == str(folder)
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")
    assert certs(docker_url()) == "/certs"
    assert certs(docker_url("", "/key")) == "/key"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    id_ = context(folder, "lab", endpoint("tcp://y:1")).parent.name
    assert certs(docker_url()) == ""
    own = folder / "contexts/tls" / id_ / "docker"
    own.mkdir(parents=True)
    (own / "ca.pem").touch()
    assert certs(docker_url()) == str(own)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no Docker context lab, which DOCKER_CONTEXT names"),
        ("{", "is not a context's file"),
        ("[]", "is not a context's file"),
        ("{}", "is not a context's file"),
        ('{"Endpoints": {"docker": null}}', "is not a context's file"),
        ('{"Endpoints": {"docker": {"Host": 5}}}', "is not a context's file"),
        ("[" * 100_000, "is not a context's file"),
    ],
)
def test_a_context_that_cannot_be_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, words: str
) -> None:
    """One line with the name, what chose it, and the file; never another engine instead."""
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    if text is not None:
        context(folder, "lab", text)
    with pytest.raises(RuntimeUnavailableError) as caught:
        docker_url()
    assert words in str(caught.value)
    assert "meta.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_context_that_verifies_nothing_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is said what to set instead."""
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    id_ = context(folder, "lab", endpoint("tcp://y:1", SkipTLSVerify=True)).parent.name
    own = folder / "contexts/tls" / id_ / "docker"
    own.mkdir(parents=True)
    (own / "ca.pem").touch()
    with pytest.raises(RuntimeUnavailableError, match=r"set node\.docker and node\.docker_certs"):
        docker_url()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"currentContext": 5}', '{"currentContext": ""}'])
def test_a_configuration_of_docker_that_names_none(folder: Path, text: str) -> None:
    """The client says what is wrong with the file."""
    (folder / "config.json").write_text(text)
    assert docker_url() == DEFAULT_URL


def test_another_engine_that_is_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where nothing listens at the usual socket, and only a socket."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    missing = FileNotFoundError(2, "No such file or directory")
    (tmp_path / "docker.sock").touch()
    assert str(tmp_path) not in unavailable_text(DEFAULT_URL, missing)
    (tmp_path / "docker.sock").unlink()
    with socket.socket(socket.AF_UNIX) as rootless:
        rootless.bind(str(tmp_path / "docker.sock"))
        said = unavailable_text(DEFAULT_URL, missing)
        assert f"there is unix://{tmp_path}/docker.sock; set node.docker to it" in said
        denied = unavailable_text(DEFAULT_URL, PermissionError(13, "Permission denied"))
        assert f"set node.docker to unix://{tmp_path}/docker.sock" in denied
        elsewhere = unavailable_text("unix:///x.sock", missing)
        assert "systemctl start docker" in elsewhere
        assert str(tmp_path) not in elsewhere


def test_what_named_an_engine_that_does_not_run_is_named() -> None:
    """It is there that it must be corrected."""
    url = EngineUrl("unix:///x.sock", "the Docker context lab")
    said = unavailable_text(url, FileNotFoundError(2, "No such file"))
    assert said.endswith("start it, or correct the Docker context lab, which names it")


@pytest.mark.parametrize(
    ("url", "info", "other"),
    [
        ("unix:///x", {"Name": "box", "KernelVersion": "6.1"}, ""),
        ("unix:///x", {"Name": "container", "KernelVersion": "6.1"}, ""),
        ("unix:///x", {"Name": "desktop", "KernelVersion": "6.12-linuxkit"}, "desktop"),
        ("unix:///x", {}, ""),
        ("tcp://10.1.2.3:2376", {"Name": "box", "KernelVersion": "6.1"}, ""),
        ("tcp://10.1.2.3:2376", {"Name": "far", "KernelVersion": "6.1"}, "far"),
        ("tcp://127.0.0.1:2376", {"Name": "far", "KernelVersion": "6.1"}, ""),
        ("ssh://root@far", {"Name": "far", "KernelVersion": "6.1"}, "far"),
        ("ssh://root@localhost", {"Name": "box", "KernelVersion": "6.1"}, ""),
    ],
)
def test_engines_of_other_machines(
    monkeypatch: pytest.MonkeyPatch, url: str, info: dict[str, str], other: str
) -> None:
    """By the kernel, and over the network by the name."""
    here = type("Uname", (), {"nodename": "box", "release": "6.1"})
    monkeypatch.setattr("os.uname", lambda: here)
    assert other_machine(url, info) == other
