"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from plancton.service.node import NodeClient
    from plancton.service.process.paths import Paths

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file.", dir_okay=False)
]
ConfDir = Annotated[
    Path | None, typer.Option("--confdir", help="Folder with config.yaml.", file_okay=False)
]
RunDir = Annotated[
    Path | None, typer.Option("--rundir", help="Folder of the lock, the socket and the markers.")
]
StateDir = Annotated[Path | None, typer.Option("--statedir", help="Folder of history and ledger.")]
PidFile = Annotated[
    Path | None, typer.Option("--pidfile", help="File for the PID, for other programs.")
]
LogDir = Annotated[Path | None, typer.Option("--logdir", help="Folder of plancton.log.")]


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LogLevel = Annotated[Level, typer.Option("--log-level", help="How much is logged.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only ask; do not wait for the effect.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until no pilot is left.")]


def _checked(duration: str | None) -> str | None:
    seconds_of(duration)
    return duration


Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", help="Longest wait, like 30s or 2h; else as it takes.", callback=_checked
    ),
]


def _pilot_names(context: typer.Context, incomplete: str) -> list[str]:
    """Complete names of pilots from the running engine; nothing if there is none."""
    from plancton.cli.hosts import choose_hosts

    try:
        choose_hosts(context.find_root().params.get("host") or ())
        pilots = node_of(None).engine.snapshot().pilots
    except Exception:  # noqa: BLE001 (a shell completes in silence)
        return []
    return [pilot.name for pilot in pilots if pilot.name.startswith(incomplete)]


PilotName = Annotated[
    str,
    typer.Argument(
        help="Name of a pilot, or the beginning of its ID.", autocompletion=_pilot_names
    ),
]
PilotNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PILOT...",
        help="Names of pilots, or the beginnings of their IDs.",
        autocompletion=_pilot_names,
    ),
]


_PATH_OPTIONS: dict[str, Any] = {
    "config": ConfigOption,
    "confdir": ConfDir,
    "rundir": RunDir,
    "logdir": LogDir,
    "statedir": StateDir,
    "pidfile": PidFile,
}


def with_paths(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb these options in the place of its parameter ``paths``, which they make up."""
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=_PATH_OPTIONS[name])
        for name in names
    ]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @wraps(verb)
        def run(**values: Any) -> None:
            verb(paths=paths_of(**{name: values.pop(name) for name in names}), **values)

        hints = get_type_hints(verb, localns={"Paths": Any}, include_extras=True)
        parameters = []
        for each in signature(verb).parameters.values():
            own = each.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[each.name])
            parameters += options if each.name == "paths" else [own]
        # What typer looks at.
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def paths_of(
    config: Path | None = None,
    confdir: Path | None = None,
    rundir: Path | None = None,
    logdir: Path | None = None,
    statedir: Path | None = None,
    pidfile: Path | None = None,
) -> Paths:
    """Return the files and folders in force with these options."""
    from plancton.service.process.paths import Paths, config_path, default_paths

    usual = default_paths()
    return Paths(
        config=config_path(config, confdir),
        rundir=rundir or usual.rundir,
        logdir=logdir or usual.logdir,
        statedir=statedir or usual.statedir,
        pidfile=pidfile,
        asked_for_config=config is not None or confdir is not None,
    )


def node_of(rundir: Path | None) -> NodeClient:
    """Return the Plancton that uses *rundir*, on this machine or on the one that was named."""
    from plancton.cli.hosts import chosen_hosts, transport_to
    from plancton.service.node import LocalNode, RemoteNode

    for host in chosen_hosts():
        return RemoteNode(transport_to(host, rundir))
    return LocalNode(paths_of(rundir=rundir))


def seconds_of(duration: str | None) -> float | None:
    """Return the seconds of a duration given as an option."""
    from plancton.config.units import parse_duration

    if duration is None:
        return None
    try:
        return float(parse_duration(duration))
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(str(error)) from None
