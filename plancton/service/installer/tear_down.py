"""Undo what was set up."""

from __future__ import annotations

import os
import shutil

from plancton.runtime import fuse
from plancton.service import systemd
from plancton.service.installer import systemd_units, user
from plancton.service.installer.options import Say
from plancton.service.process.paths import Paths


def tear_down(paths: Paths, say: Say, *, purge: bool) -> None:
    """Stop the service and remove its units; with *purge* also what it kept and its user."""
    fuse.remove_module_file(say)
    if os.geteuid() == 0 and systemd.is_running():
        systemd_units.remove(say)
    if not purge:
        say(f"{paths.config.parent}, {paths.statedir}, {paths.logdir} stay; --purge removes them")
        return
    for folder in (paths.config.parent, paths.statedir, paths.logdir, paths.rundir):
        if folder.exists():
            shutil.rmtree(folder)
            say(f"removed {folder}")
    if os.geteuid() == 0:
        user.delete(say)
