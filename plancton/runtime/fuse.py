"""The kernel's FUSE: who asks for it, is it there, and have it there from now on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from plancton.config.schema import Profile
from plancton.runtime.file_modes import PUBLIC, PUBLIC_FOLDER, make_folder, write_new

DEVICE = "/dev/fuse"
MODULES_LOAD = Path("/etc/modules-load.d/plancton.conf")
"""Names the module, for who loads modules at boot (modules-load.d(5))."""
_FILE_SYSTEMS = Path("/proc/filesystems")


class Module(StrEnum):
    """What there is of the module."""

    LOADED = "loaded"
    LOADABLE = "loadable"
    MISSING = "missing"


def is_used_by(profile: Profile) -> bool:
    """Say whether pilots of the profile get the device."""
    return any(device.partition(":")[0] == DEVICE for device in profile.devices)


def module() -> Module:
    """Look for the module, or what is built into the kernel."""
    if "fuse" in _FILE_SYSTEMS.read_text().split():
        return Module.LOADED
    return Module.MISSING if _modprobe("--dry-run") else Module.LOADABLE


def load_at_boot(say: Callable[[str], None]) -> None:
    """Load the module now and at each boot, as root, saying each step. Repeatable."""
    if not MODULES_LOAD.exists():
        make_folder(MODULES_LOAD.parent, PUBLIC_FOLDER)
        write_new(MODULES_LOAD, "# Pilots ask for /dev/fuse.\nfuse\n", PUBLIC)
        say(f"installed {MODULES_LOAD}: the module fuse is loaded at each boot")
    if module() is not Module.LOADED:
        wrong = _modprobe()
        bad = f"warning: modprobe fuse: {wrong}; pilots that ask for {DEVICE} cannot mount"
        say(bad if wrong else "loaded the module fuse")


def remove_module_file(say: Callable[[str], None]) -> None:
    """Take back what ``load_at_boot`` installed, where the right is there; the module stays."""
    if os.access(MODULES_LOAD.parent, os.W_OK) and MODULES_LOAD.exists():
        MODULES_LOAD.unlink()
        say(f"removed {MODULES_LOAD}")


def _modprobe(*options: str) -> str:
    """Run modprobe; returns what is wrong, empty on success."""
    # Users seldom have its folder on their path.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    program = shutil.which("modprobe", path=path)
    if program is None:
        return "it is not installed (package kmod)"
    done = subprocess.run([program, *options, "fuse"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
