"""What the doctor says of a rootless Docker of which a part is missing."""

from __future__ import annotations

import os
import pwd
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from plancton.cli.doctor.rootless import RootlessFacts, gather, judge

WELL = RootlessFacts("ann", "/run/user/1000")
SOCKET = "unix:///run/user/1000/docker.sock"
USUAL = "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("facts", "url", "verdict", "found", "mend"),
    [
        (
            replace(WELL, missing=("newuidmap",)),
            SOCKET,
            "FAIL",
            "newuidmap is not installed",
            "package uidmap",
        ),
        (
            replace(WELL, missing=("dockerd-rootless.sh",)),
            SOCKET,
            "FAIL",
            "dockerd-rootless.sh is not installed",
            "docker-ce-rootless-extras",
        ),
        (
            replace(WELL, unmapped=("/etc/subuid", "/etc/subgid")),
            SOCKET,
            "FAIL",
            "no range for ann in /etc/subuid and /etc/subgid",
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann",
        ),
        (
            replace(WELL, has_folder=False, has_socket=False, has_session=False),
            SOCKET,
            "FAIL",
            "no user session: /run/user/1000 does not exist",
            "loginctl enable-linger ann",
        ),
        (
            replace(WELL, is_set=False),
            SOCKET,
            "WARN",
            "XDG_RUNTIME_DIR is not set",
            "export XDG_RUNTIME_DIR=/run/user/1000",
        ),
        (
            replace(WELL, has_session=False),
            SOCKET,
            "WARN",
            "systemd does not run for ann",
            "dbus-user-session",
        ),
        (
            replace(WELL, has_socket=False),
            SOCKET,
            "FAIL",
            "no socket at /run/user/1000/docker.sock",
            "systemctl --user start docker",
        ),
        (
            WELL,
            USUAL,
            "WARN",
            "its socket is /run/user/1000/docker.sock, and unix:///var/run/docker.sock is used",
            "node.docker: unix:///run/user/1000/docker.sock",
        ),
    ],
)
def test_each_part_alone(
    facts: RootlessFacts, url: str, verdict: str, found: str, mend: str
) -> None:
    """One line each: what is missing, and what to install or write."""
    (check,) = judge(facts, url)
    assert (check.what, check.verdict) == ("rootless Docker", verdict)
    assert found in check.found
    assert mend in check.mend


def test_a_whole_one_is_not_spoken_of() -> None:
    """It is something else then."""
    assert list(judge(WELL, SOCKET)) == []


def test_what_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs on the PATH, ranges of IDs by name or number, sockets that are some."""
    user, runtime = pwd.getpwuid(os.geteuid()).pw_name, tmp_path / "run"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    facts = gather(tmp_path)
    assert facts.missing == ("newuidmap", "newgidmap", "dockerd-rootless.sh")
    assert facts.unmapped == (f"{tmp_path}/subuid", f"{tmp_path}/subgid")
    assert (facts.user, facts.folder, facts.is_set) == (user, f"/run/user/{os.geteuid()}", False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert not gather(tmp_path).has_folder
    (runtime / "systemd").mkdir(parents=True)
    (runtime / "docker.sock").touch()
    for name in facts.missing:
        (tmp_path / name).touch(0o755)
    (tmp_path / "subuid").write_text(f"someone:1:2\n{user}:100000:65536\n")
    (tmp_path / "subgid").write_text(f"{os.geteuid()}:100000:65536\n")
    whole = RootlessFacts(user, str(runtime))
    assert gather(tmp_path) == replace(whole, has_session=False, has_socket=False)
    (runtime / "docker.sock").unlink()
    with socket.socket(socket.AF_UNIX) as docker, socket.socket(socket.AF_UNIX) as systemd:
        docker.bind(str(runtime / "docker.sock"))
        systemd.bind(str(runtime / "systemd/private"))
        assert gather(tmp_path) == whole
