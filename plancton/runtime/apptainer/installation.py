"""What this node offers pilots in Apptainer: the program, cgroups, rights."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from plancton.engine.model.node import Limit
from plancton.runtime.apptainer.launch import runs_systemd
from plancton.runtime.cgroup import ParentCgroup

_PROGRAMS = ("apptainer", "singularity")
_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
_MOST_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
_DEBIANS = Path("/proc/sys/kernel/unprivileged_userns_clone")


class Installation:
    """Looked at once, but for what an administrator may mend meanwhile."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._well = False

    @property
    def program(self) -> str:
        """The path of Apptainer; empty: it is not installed."""
        return next(filter(None, map(shutil.which, _PROGRAMS)), "")

    @cached_property
    def systemd(self) -> bool:
        """Whether pilots are units of systemd."""
        return runs_systemd()

    @cached_property
    def cpus(self) -> tuple[int, ...]:
        """CPUs that this process may use."""
        return tuple(sorted(os.sched_getaffinity(0)))

    def world(self) -> Mapping[str, Any]:
        """Return what there is of cgroups, in the words of Docker's ``/info``."""
        driver = "systemd" if self.systemd else "cgroupfs"
        return {"CgroupDriver": driver, "CgroupVersion": "2" if _UNIFIED.exists() else "1"}

    def unenforced(self, parent: ParentCgroup) -> frozenset[Limit]:
        """Return the limits of pilots for which there is no controller."""
        needed = {
            Limit.CPUS: "cpu",
            Limit.MEMORY: "memory",
            Limit.SWAP: "memory",
            Limit.PIDS: "pids",
        }
        return frozenset(limit for limit, name in needed.items() if not parent.controller(name))

    def trouble(self) -> str:
        """Return why no pilot can run here, and what to install or write; empty: they can."""
        if not self._well:
            why = self._trouble()
            self._well = not why
            return why
        return ""

    def _trouble(self) -> str:
        if not self.program:
            return "Apptainer is not installed: install the package apptainer"
        if os.geteuid() and not self.systemd:
            return (
                "without systemd, pilots in Apptainer need root for their cgroups: "
                "run Plancton as root"
            )
        if self.systemd and not _UNIFIED.exists():
            return (
                "pilots in Apptainer need cgroup v2 beside systemd: "
                "boot with systemd.unified_cgroup_hierarchy=1"
            )
        if os.geteuid() and not Path(f"/run/user/{os.geteuid()}/systemd").exists():
            return (
                "there is no systemd of the user's own: log in anew, or have root write "
                f"loginctl enable-linger {os.environ.get('USER') or os.geteuid()}"
            )
        for path in (_MOST_NAMESPACES, _DEBIANS):
            if path.exists() and path.read_text().strip() == "0":
                return (
                    "unprivileged user namespaces are switched off, which Apptainer needs: "
                    f"sysctl -w {'.'.join(path.parts[3:])}=1"
                )
        return ""

    def version(self) -> str:
        """Return what Apptainer says of itself; empty: nothing."""
        try:
            done = subprocess.run(
                [self.program, "--version"], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.strip()
