"""The service as a systemd unit, where one is installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from plancton.service.node import LocalNode
from plancton.service.process.daemon import StartError
from plancton.service.process.paths import Paths, default_paths

UNIT_FOLDER = Path("/etc/systemd/system")
SERVICE = "plancton.service"


def is_running() -> bool:
    """Say whether systemd manages this machine (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def unit_for(paths: Paths) -> str:
    """Return the unit that manages these paths; empty: none does."""
    ours = paths.rundir == default_paths().rundir and not paths.asked_for_config
    installed = is_running() and os.geteuid() == 0 and (UNIT_FOLDER / SERVICE).exists()
    return SERVICE if ours and installed else ""


def systemctl(*words: str) -> str:
    """Run systemctl; returns what it says on failure, empty on success."""
    done = subprocess.run(
        ["systemctl", "--quiet", *words], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


def start(unit: str, node: LocalNode) -> int:
    """Start the unit; returns the engine's PID. StartError with systemd's words."""
    error = systemctl("start", unit)
    if error:
        raise StartError(f"systemctl start {unit}: {error}; see journalctl -u {unit}")
    pid = node.pid
    if pid is None:
        raise StartError("it ended at once, as asked while it was away; see plancton force-start")
    return pid
