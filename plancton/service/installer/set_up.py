"""Set a node up: a user, a configuration that was checked, and systemd's units. Repeatable."""

from __future__ import annotations

import os

from plancton.engine.errors import RefusedError
from plancton.runtime import fuse
from plancton.runtime.file_modes import GROUP_FOLDER, make_folder
from plancton.runtime.idle_core_search import FEATURES, NO_LIMIT
from plancton.service import systemd
from plancton.service.installer import systemd_units, user
from plancton.service.installer.configuration import checked_configuration, replace_configuration
from plancton.service.installer.options import Say, SetupOptions
from plancton.service.process.paths import Paths


def set_up(paths: Paths, options: SetupOptions, say: Say) -> None:
    """Do it, saying each step. ConfigError, FetchError, RefusedError before anything changed."""
    root = os.geteuid() == 0
    if options.tune and not root:
        raise RefusedError("--tune changes a setting of the whole machine: run bootstrap as root")
    text, config = checked_configuration(paths, options, say)
    if root:
        user.create(options, say)
    folders = (paths.config.parent, paths.statedir, paths.logdir)
    for folder in folders:
        if not folder.exists():
            make_folder(folder, GROUP_FOLDER)
            say(f"created {folder}")
    if text is not None:
        replace_configuration(paths.config, text, say)
    if root:
        user.let_group_read(paths.config.parent)
        user.let_group_read(paths.config)
    if root and any(fuse.is_used_by(profile) for profile in config.pilots):
        fuse.load_at_boot(say)
    if root and systemd.is_running():
        systemd_units.install(options, say)
        return
    if options.tune:
        say(f"warning: no systemd to do --tune at boot; by hand: echo {NO_LIMIT} > {FEATURES}")
    say("next: plancton start (there is no systemd to do it)" if root else "next: plancton start")
