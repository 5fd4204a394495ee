"""Credentials come from Docker's configuration; what is wrong there never stops a pull."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from plancton.runtime.docker import credentials
from plancton.runtime.docker.credentials import Credentials, credentials_for
from tests.conftest import until

IMAGE = "registry.example:5000/lab/worker:latest"
LOGIN = base64.b64encode(b"user:secret").decode()
ANSWER = '{"Username": "user", "Secret": "secret"}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of config.json, which is also the first where helpers are looked for."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def configure(folder: Path, **values: Any) -> None:
    """Write config.json."""
    (folder / "config.json").write_text(json.dumps(values))


def helper(folder: Path, script: str) -> None:
    """Install a credential helper, and name it."""
    file = folder / "docker-credential-x"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    configure(folder, credsStore="x")


@pytest.mark.parametrize("inside", ["config.json", ""])
def test_logins_are_read(folder: Path, inside: str) -> None:
    """The configuration is named by its folder, as documented, or by itself."""
    configure(folder, auths={"registry.example:5000": {"auth": LOGIN}})
    found = credentials_for(IMAGE, str(folder / inside))
    assert (found.auth["username"], found.auth["password"]) == ("user", "secret")
    assert credentials_for("other.example/x", str(folder / inside)) == Credentials({})


def test_no_configuration_is_no_trouble(folder: Path) -> None:
    """There are no credentials then."""
    assert credentials_for(IMAGE, str(folder / "none")) == Credentials({})


def running(session: str) -> str:
    """Return the PIDs of a session, without those that have ended and nobody asked after."""
    listed = ["pgrep", "--session", session, "--runstates", "R,S,D,T"]
    return subprocess.run(listed, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(
    ("image", "server"),
    [(IMAGE, "registry.example:5000"), ("busybox", "https://index.docker.io/v1/")],
)
def test_a_helper_is_asked(folder: Path, image: str, server: str) -> None:
    """For the registry of the image."""
    helper(folder, f"""cat > "{folder}/asked"; echo "$1" > "{folder}/verb"; echo '{ANSWER}'""")
    found = credentials_for(image, str(folder))
    expected = {"ServerAddress": server, "Username": "user", "Password": "secret"}
    assert found == Credentials(expected)
    assert (folder / "asked").read_text() == server
    assert (folder / "verb").read_text() == "get\n"


def test_a_token_is_understood(folder: Path) -> None:
    """Some helpers give one in place of a password."""
    helper(folder, """echo '{"Username": "<token>", "Secret": "t"}'""")
    found = credentials_for(IMAGE, str(folder))
    assert found.auth == {"ServerAddress": "registry.example:5000", "IdentityToken": "t"}


@pytest.mark.parametrize(
    "script",
    [
        "echo 'credentials not found in native keychain'; exit 1",
        """echo '{"Username": "", "Secret": ""}'""",
    ],
)
def test_a_helper_that_knows_nothing_is_no_trouble(folder: Path, script: str) -> None:
    """Then a login of the file counts."""
    helper(folder, script)
    assert credentials_for(IMAGE, str(folder)) == Credentials({})
    configure(folder, credsStore="x", auths={"registry.example:5000": {"auth": LOGIN}})
    assert credentials_for(IMAGE, str(folder)).auth["username"] == "user"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'the keyring is locked'; exit 3", "failed with exit code 3: the keyring is locked"),
        ('echo \'{"Secret": "s3cr3t"}\'; exit 1', "failed with exit code 1"),
        ("echo s3cr3t", "gave an answer that is none"),
        ("exit 0", "gave an answer that is none"),
        ("echo '[7]'", "gave an answer that is none"),
        ("kill -9 $$", "failed with exit code -9"),
    ],
)
def test_a_helper_that_fails_is_named_and_tells_no_secret(
    folder: Path, script: str, why: str
) -> None:
    """With the file that names it, and with its words."""
    helper(folder, script)
    found = credentials_for(IMAGE, str(folder))
    file = folder / "config.json"
    name = f"the credential helper docker-credential-x, which {file} names, "
    assert found == Credentials({}, name + why)


def test_a_missing_helper_is_named(folder: Path) -> None:
    """Also one that is named for a single registry."""
    configure(folder, credHelpers={"registry.example:5000": "none-such"})
    found = credentials_for(IMAGE, str(folder))
    assert found.auth == {}
    assert "docker-credential-none-such" in found.trouble
    assert found.trouble.endswith("is not installed")
    assert credentials_for("busybox", str(folder)) == Credentials({})


@pytest.mark.parametrize(
    "script", ["sleep 98765", "sleep 98765 & wait", "yes", "trap '' TERM; cat /dev/zero"]
)
def test_a_helper_that_hangs_is_ended_with_its_children(
    folder: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its deadline."""
    monkeypatch.setattr(credentials, "DEADLINE", 0.5)
    helper(folder, f'echo $$ > "{folder}/pid"\n{script}')
    before = time.monotonic()
    found = credentials_for(IMAGE, str(folder))
    assert time.monotonic() - before < 5
    assert found.auth == {}
    assert found.trouble.endswith("did not answer within 0.5 s")
    session = (folder / "pid").read_text().strip()
    until(lambda: not running(session))


def test_what_a_helper_leaves_behind_is_not_waited_for(folder: Path) -> None:
    """Though it holds the pipe open."""
    helper(folder, f"sleep 98765 & echo '{ANSWER}'")
    before = time.monotonic()
    assert credentials_for(IMAGE, str(folder)).auth["Username"] == "user"
    assert time.monotonic() - before < 5


def test_a_stop_waits_for_no_helper(folder: Path) -> None:
    """It is ended."""
    helper(folder, "sleep 98765")
    before = time.monotonic()
    credentials_for(IMAGE, str(folder), lambda: True)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "7",
        '{"auths": {"registry.example:5000": {"auth": "!!!"}}}',
        '{"auths": {"registry.example:5000": {"auth": 7}}}',
        '{"auths": {"registry.example:5000": 7}}',
        '{"auths": [1]}',
        '{"credHelpers": "x"}',
        '{"auths": {"registry.example:5000": {"auth": "/////w=="}}}',
        "[" * 100_000,
    ],
)
def test_a_configuration_that_is_none_costs_the_credentials_only(folder: Path, text: str) -> None:
    """And is named."""
    (folder / "config.json").write_text(text)
    found = credentials_for(IMAGE, str(folder))
    assert found.auth == {}
    assert found.trouble.startswith(f"{folder}/config.json cannot be read as a configuration of")


def test_a_pipe_in_its_place_is_not_waited_for(folder: Path) -> None:
    """Nor is a file read that is too large."""
    os.mkfifo(folder / "config.json")
    assert credentials_for(IMAGE, str(folder)).trouble.endswith("is no regular file")
