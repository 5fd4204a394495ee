"""Programs from PyPI that only these tests use, in virtual environments that are kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path


def tool(name: str, *packages: str) -> str:
    """Return a program of *packages*, installing them if they are not there yet."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plancton-test"
    home.mkdir(parents=True, exist_ok=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = home / "-".join((*packages, version)).replace("==", "-")
    with Path(f"{place}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            pip = [f"{place}/bin/python", "-m", "pip", "install", "--quiet", *packages]
            for command in ([sys.executable, "-m", "venv", str(place)], pip):
                subprocess.run(command, check=True, timeout=600, capture_output=True)
            (place / "complete").touch()
    return str(place / "bin" / name)
