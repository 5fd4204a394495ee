"""Where files lie: root's in the system's places, a user's where the platform wants them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_RUNDIR = Path("/run/plancton")


@dataclass(frozen=True, slots=True)
class Paths:
    """The files and folders of one engine."""

    config: Path
    rundir: Path
    logdir: Path
    statedir: Path
    pidfile: Path | None = None
    """As asked for; None: the usual place."""
    asked_for_config: bool = False
    """Whether the config file was named by the user, and so must exist."""

    @property
    def log(self) -> Path:
        """The rotating log file."""
        return self.logdir / "plancton.log"

    @property
    def lock(self) -> Path:
        """Locked while an engine uses the run directory; holds its PID."""
        return self.rundir / "plancton.lock"

    def state_file(self, instance: str) -> Path:
        """Return the file of what outlives an engine: history, ledger, good images."""
        return self.statedir / f"memory-{instance}.json"

    def pulled_images(self, instance: str) -> Path:
        """Return the file of the images that an engine brought to the node."""
        return self.statedir / f"images-{instance}.json"

    def remote_config(self, instance: str) -> Path:
        """Return the file of the last good remote configuration."""
        return self.statedir / f"remote-{instance}.json"

    @property
    def features(self) -> Path:
        """Folders that are shown to pilots, one for each."""
        return self.rundir / "pilots"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.rundir / "plancton.sock"

    @property
    def pid(self) -> Path:
        """The PID file of ``start``: for people and their scripts, nothing here believes it."""
        return self.pidfile or self.rundir.with_name(self.rundir.name + ".pid")


def is_system() -> bool:
    """Say whether this is the system's service: root, or the unit under a user of its own."""
    return os.geteuid() == 0 or os.environ.get("RUNTIME_DIRECTORY") == str(_SYSTEM_RUNDIR)


def default_paths() -> Paths:
    """Return root's or the user's places. Locks never lie on a (network) home."""
    if is_system():
        return system_paths()
    from platformdirs import PlatformDirs

    dirs = PlatformDirs("plancton", appauthor=False)
    return Paths(
        config=dirs.user_config_path / "config.yaml",
        rundir=_user_rundir(),
        logdir=dirs.user_log_path,
        statedir=dirs.user_state_path,
    )


def system_paths() -> Paths:
    """Return the places of the system's service."""
    return Paths(
        config=Path("/etc/plancton/config.yaml"),
        rundir=_SYSTEM_RUNDIR,
        logdir=Path("/var/log/plancton"),
        statedir=Path("/var/lib/plancton"),
    )


def _user_rundir() -> Path:
    usual = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    if Path(usual).is_dir() and os.access(usual, os.W_OK):
        return Path(usual) / "plancton"
    import tempfile  # here, as it takes long

    return Path(tempfile.gettempdir()) / f"plancton-{os.geteuid()}"


def config_path(config: Path | None = None, confdir: Path | None = None) -> Path:
    """Return the config file: as named, ``confdir/config.yaml``, or the default place."""
    if config is not None:
        return config
    return confdir / "config.yaml" if confdir is not None else default_paths().config
