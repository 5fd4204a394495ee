"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from plancton.service.files import FileHandle
    from plancton.service.paths import Paths

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file.", dir_okay=False)
]
ConfDir = Annotated[
    Path | None, typer.Option("--confdir", help="Folder with config.yaml.", file_okay=False)
]
RunDir = Annotated[
    Path | None, typer.Option("--rundir", help="Folder of lock, markers and snapshot.")
]
StateDir = Annotated[Path | None, typer.Option("--statedir", help="Folder of history and ledger.")]
LogDir = Annotated[Path | None, typer.Option("--logdir", help="Folder of plancton.log.")]


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LogLevel = Annotated[Level, typer.Option("--log-level", help="How much is logged.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def paths_of(
    config: Path | None = None,
    confdir: Path | None = None,
    rundir: Path | None = None,
    logdir: Path | None = None,
    statedir: Path | None = None,
) -> Paths:
    """Return the files and folders in force with these options."""
    from plancton.service.paths import Paths, config_path, default_paths

    usual = default_paths()
    return Paths(
        config=config_path(config, confdir),
        rundir=rundir or usual.rundir,
        logdir=logdir or usual.logdir,
        statedir=statedir or usual.statedir,
        asked_for_config=config is not None or confdir is not None,
    )


def handle_of(rundir: Path | None) -> FileHandle:
    """Return the handle of the engine that uses *rundir*."""
    from plancton.service.files import FileHandle

    return FileHandle(paths_of(rundir=rundir))
