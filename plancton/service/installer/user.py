"""The user and group ``plancton``: members of the group may use the control socket."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from contextlib import suppress
from pathlib import Path

from plancton.control.server import GROUP
from plancton.engine.api import RefusedError
from plancton.service.installer.options import Say, SetupOptions


def create(options: SetupOptions, say: Say) -> None:
    """Create user and group if they are not there."""
    try:
        pwd.getpwnam(GROUP)
    except KeyError:
        group = ("--gid", GROUP) if _has_group() else ("--user-group",)
        home = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
        _run("useradd", "--system", *group, *home, GROUP)
        say(f"created the user and group {GROUP}: members of the group may control Plancton")
    if options.unprivileged:
        _run("usermod", "--append", "--groups", "docker", GROUP)
        say(f"{GROUP} may use Docker")


def _has_group() -> bool:
    with suppress(KeyError):
        return bool(grp.getgrnam(GROUP))
    return False


def let_group_read(path: Path) -> None:
    """Let the group read what may hold secrets, and nobody else."""
    with suppress(FileNotFoundError):
        os.chown(path, 0, grp.getgrnam(GROUP).gr_gid)
        path.chmod(0o750 if path.is_dir() else 0o640)


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RefusedError(
            f"{words[0]} is not installed (package passwd or shadow-utils)"
        ) from None
    if done.returncode:
        raise RefusedError(f"{words[0]}: {done.stderr.strip() or done.returncode}")


def delete(say: Say) -> None:
    """Remove the user, if there is one."""
    with suppress(KeyError):
        pwd.getpwnam(GROUP)
        _run("userdel", GROUP)
        say(f"removed the user {GROUP}")
