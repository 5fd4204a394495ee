"""Starts the shim of a pilot: as a unit of systemd's, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from plancton.engine.ports import ActionError
from plancton.runtime.apptainer import shim
from plancton.runtime.apptainer.pilot_folder import PilotFolder
from plancton.runtime.cgroup import ParentCgroup

UNIT = "{}.service"
"""How systemd's unit of a pilot is called, by the pilot's name."""
_PATIENCE = 30.0
_POLL = 0.005


def runs_systemd() -> bool:
    """Say whether systemd is the machine's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def pilots_parent(instance: str) -> ParentCgroup:
    """Return the parent of an instance's pilots: with systemd, in the manager that is asked."""
    uid = os.geteuid()
    own = f"user.slice/user-{uid}.slice/user@{uid}.service" if uid else ""
    return ParentCgroup(instance, unit=UNIT, below=own)


def launch(folder: PilotFolder, slice_: str | None) -> None:
    """Start the pilot of a folder, in the slice of systemd's called so; returns once it runs.

    ActionError: it does not.
    """
    script = [sys.executable, "-I", "-S", str(Path(shim.__file__)), str(folder.place)]
    if slice_ is None:
        _start(script)
    else:
        _start_unit(script, folder.name, slice_)
    end = time.monotonic() + _PATIENCE
    while folder.started() is None:
        ending = folder.ending()
        if ending is not None:
            if folder.started() is None:
                raise ActionError(f"cannot start: {ending.error or 'it ended at once'}")
            return
        if time.monotonic() > end:
            raise ActionError(f"cannot start: nothing was heard of it for {_PATIENCE:g} s")
        time.sleep(_POLL)


def _start(command: list[str]) -> None:
    """Start a process that outlives this one; init gathers it, so there are no zombies."""
    nothing = subprocess.DEVNULL
    detached = ["setsid", "--fork", *command]
    try:
        subprocess.run(
            detached, stdin=nothing, stdout=nothing, stderr=nothing, check=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ActionError(f"cannot start: {error}") from error


def _start_unit(command: list[str], name: str, slice_: str) -> None:
    """Have systemd start it: out of our own sandbox, and of our own unit, which may be stopped.

    Its cgroup is delegated, so that systemd leaves to us what is in there.
    """
    asked = ["systemd-run", *user_flag(), "--quiet", "--collect", "--unit", UNIT.format(name)]
    asked += ["--slice", slice_, "--property", "Delegate=yes", "--property", "KillMode=mixed"]
    asked += ["--property", "OOMPolicy=continue", "--description", f"Pilot {name} of Plancton"]
    try:
        done = subprocess.run(
            [*asked, "--", *command], capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ActionError(f"cannot start: systemd-run: {error}") from error
    if done.returncode:
        raise ActionError(f"cannot start: systemd says {done.stderr.strip()[:300]}")


def run_outside(
    command: list[str], environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, out of our own sandbox where systemd has put us into one.

    OSError, subprocess.SubprocessError.
    """
    if runs_systemd():
        pairs = [word for key, value in environment.items() for word in ("-E", f"{key}={value}")]
        outside = ["systemd-run", *user_flag(), "--quiet", "--wait", "--pipe", "--collect", *pairs]
        command = [*outside, "--", *command]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **environment},
    )


def user_flag() -> list[str]:
    """Return what makes systemd's tools ask the user's own manager, for whoever is not root."""
    return ["--user"] if os.geteuid() else []
