"""Who is logged in, by the real libsystemd on files as logind writes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plancton.runtime import login_sessions as module
from plancton.runtime.login_sessions import LoginSession, login_sessions

LOOK = """
import json
from plancton.runtime.login_sessions import login_sessions
print(json.dumps([session.terminal for session in login_sessions()]))
"""
SSH = {"STATE": "active", "CLASS": "user", "TYPE": "tty", "TTY": "pts/3", "REMOTE": "1"}
DESKTOP = {"STATE": "active", "CLASS": "user", "TYPE": "wayland", "TTY": "tty2"}
CONSOLE = {"STATE": "online", "CLASS": "user", "TYPE": "tty", "TTY": "tty1"}


def _seen(folder: Path, **sessions: dict[str, str]) -> list[str]:
    """Return the terminals that are seen where logind has written these sessions."""
    folder.mkdir()
    for name, values in sessions.items():
        known = {"UID": "1000", "USER": "ann", "ACTIVE": "1", "LEADER": str(os.getpid())} | values
        lines = [f"{key}={value}" for key, value in known.items()]
        (folder / name).write_text("# This is private data.\n" + "\n".join(lines) + "\n")
    place = "/run/systemd/sessions"  # which not every machine has
    mounts = f'mount -t tmpfs tmpfs /run && mkdir -p {place} && mount --bind "{folder}" {place}'
    command = f'{mounts} && exec "$@"'
    run = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", sys.executable, "-c", LOOK],
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(run.stdout)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts over logind's folder")
def test_people_are_told_from_ghosts_and_services(tmp_path: Path) -> None:
    """A terminal, a desktop and ssh count; what merely has a session does not."""
    nobody = {
        "closing": SSH | {"STATE": "closing"},
        "greeter": DESKTOP | {"CLASS": "greeter"},
        "manager": CONSOLE | {"CLASS": "manager"},
        "background": CONSOLE | {"CLASS": "background"},
        "sshcommand": {"STATE": "active", "CLASS": "user", "TYPE": "tty", "REMOTE": "1"},
    }
    everybody = {"ssh": SSH, "desktop": DESKTOP, "console": CONSOLE}
    assert sorted(_seen(tmp_path / "a", **nobody, **everybody)) == ["", "pts/3", "tty1"]
    assert _seen(tmp_path / "b", **nobody) == []


class _Entry:
    """One of utmp."""

    def __init__(self, terminal: str | None, pid: int | None) -> None:
        self.terminal, self.pid = terminal, pid


def test_utmp_is_asked_where_logind_knows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entries outlive what they tell of: a dead process has no user."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    entries = [_Entry("pts/1", os.getpid()), _Entry("pts/2", gone.pid), _Entry(None, None)]
    monkeypatch.setattr(module, "_logind", lambda: None)
    monkeypatch.setattr("psutil.users", lambda: entries)
    assert login_sessions() == [LoginSession("pts/1"), LoginSession("")]


@pytest.mark.parametrize("alive", [True, False])
def test_a_session_whose_leader_died_is_a_ghost(
    monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    """Where the library tells the leader (systemd 254), also before logind sees it."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    logind = module.SdLogin()
    values = SSH | {"LEADER": str(os.getpid() if alive else gone.pid)}
    monkeypatch.setattr(logind, "_text", lambda name, _: values[name.upper()])

    def leader(_: bytes, into: object) -> int:
        into._obj.value = int(values["LEADER"])  # type: ignore[attr-defined]  # of byref
        return 0

    monkeypatch.setattr(logind, "_get_leader", leader)
    assert (logind.person("c1") is not None) is alive
