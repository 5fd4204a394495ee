"""Remote configurations are fetched by HTTP and git."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from plancton.config.schema import Remote
from plancton.service.remote_config.fetch import MAX_SIZE, Fetcher, FetchError
from tests.conftest import until
from tests.unit.service.remote_config.web import Web


def test_the_etag_saves_the_transfer(web: Web) -> None:
    """Asked with the known version, an unchanged file is not sent."""
    web.headers = {"ETag": '"1"'}
    first = Fetcher().fetch(web.remote())
    assert first
    assert (first.text, first.version) == ("spawn: {maximum: 1}\n", '"1"')
    assert Fetcher().fetch(web.remote(), first.version) is None
    web.headers = {"ETag": '"2"'}
    assert Fetcher().fetch(web.remote(), first.version)


def drip(request: http.server.BaseHTTPRequestHandler) -> None:
    """Answer one byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
        request.wfile.write(bytes([byte]))
        time.sleep(0.05)


def truncated(request: http.server.BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"spawn: {max")


def endless(request: http.server.BaseHTTPRequestHandler) -> None:
    """Never stop."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 65536)


@pytest.mark.parametrize(
    ("status", "body", "act", "words"),
    [
        (304, b"", None, "the server answers 304"),  # nothing was known, so nothing is the same
        (404, b"", None, "the server answers 404"),
        (500, b"", None, "the server answers 500"),
        (302, b"", None, "the server redirects to https://"),
        (200, b"x" * (MAX_SIZE + 1), None, "larger than"),
        (200, b"\xff\xfe\x00binary", None, "not UTF-8"),
        (200, b"", drip, "no whole answer within 1 s"),
        (200, b"", truncated, ""),
        (200, b"", endless, "larger than"),
    ],
)
def test_bad_answers_get_one_clear_word(
    web: Web, status: int, body: bytes, act: Any, words: str
) -> None:
    """In time, whatever the server does."""
    web.status, web.body, web.act = status, body, act
    web.headers = {"Location": "https://user:pw@elsewhere/x"}
    with pytest.raises(FetchError) as caught:
        Fetcher().fetch(web.remote(timeout=1))
    assert words in str(caught.value)
    assert "pw" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_hanging_look_is_not_followed_by_others(web: Web) -> None:
    """Threads do not pile up behind a server that drips."""
    web.act = drip
    fetcher = Fetcher()
    with pytest.raises(FetchError, match="no whole answer"):
        fetcher.fetch(web.remote(timeout=1))
    with pytest.raises(FetchError, match="still holds the last look up"):
        fetcher.fetch(web.remote(timeout=1))
    assert len(web.asked) == 1


def test_a_server_that_is_away_is_said() -> None:
    """A closed port, an unknown host."""
    for url in ("http://127.0.0.1:9/x", "http://nonexistent.invalid/x"):
        with pytest.raises(FetchError, match="the server cannot be reached"):
            Fetcher().fetch(Remote(url=url, allow_http=True))


def test_https_is_checked_against_the_chosen_authority(web: Web, tmp_path: Path) -> None:
    """Not trusted without it; the message says what to do."""
    key, certificate = tmp_path / "key", tmp_path / "ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    url = web.url.replace("http:", "https:")
    with pytest.raises(FetchError, match=r"certificate is not trusted \(remote.ca_file"):
        Fetcher().fetch(Remote(url=url))
    found = Fetcher().fetch(Remote(url=url, ca_file=str(certificate)))
    assert found
    assert "maximum" in found.text
    with pytest.raises(FetchError):
        Fetcher().fetch(Remote(url=url, ca_file=str(tmp_path / "none")))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a git repository with a configuration on two branches."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "spawn: {maximum: 1}\n")
    git(folder, "checkout", "-q", "-b", "night")
    commit(folder, "spawn: {maximum: 9}\n")
    git(folder, "checkout", "-q", "main")
    return folder


def git(folder: Path, *words: str) -> None:
    """Run git."""
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def commit(folder: Path, text: str) -> None:
    """Commit a configuration."""
    (folder / "config.yaml").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")


def test_git_gives_the_file_of_a_branch_and_its_commit(repository: Path) -> None:
    """Only a new commit is fetched."""
    url = f"git+file://{repository}"
    main, night = (Fetcher().fetch(Remote(url=url + branch)) for branch in ("", "#night"))
    assert main
    assert night
    assert (main.text, night.text) == ("spawn: {maximum: 1}\n", "spawn: {maximum: 9}\n")
    assert Fetcher().fetch(Remote(url=url), main.version) is None
    commit(repository, "spawn: {maximum: 2}\n")
    again = Fetcher().fetch(Remote(url=url), main.version)
    assert again
    assert again.text == "spawn: {maximum: 2}\n"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "git+file:///nonexistent"}, "git: "),
        ({"path": "none.yaml"}, "git: "),
        ({"url": "git+file://{repo}#none"}, "git: "),
        ({"url": "git+https://user:secret@127.0.0.1:9/x"}, "git: "),
    ],
)
def test_git_failures_are_said_without_secrets(
    repository: Path, fields: dict[str, str], words: str
) -> None:
    """In one line."""
    url = fields.get("url", "git+file://{repo}").replace("{repo}", str(repository))
    with pytest.raises(FetchError) as caught:
        Fetcher().fetch(Remote.model_validate({**fields, "url": url}))
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_git_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """By its whole process group."""
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nsleep 1000 & echo $! > $PLANCTON_TEST_PID; wait\n")
    slow.chmod(0o755)
    pid = tmp_path / "pid"
    path = os.environ["PATH"]
    os.environ.update(PATH=f"{tmp_path}:{path}", PLANCTON_TEST_PID=str(pid))
    try:
        with pytest.raises(FetchError, match="within 1 s"):
            Fetcher().fetch(Remote(url="git+https://127.0.0.1/x", timeout=1))
    finally:
        os.environ["PATH"] = path
        del os.environ["PLANCTON_TEST_PID"]
    until(lambda: not Path("/proc", pid.read_text().strip(), "exe").exists())
