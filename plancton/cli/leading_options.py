"""Options before the verb, as 0.6.0 took them: they mean the same as after it, where they win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def _option(name: str, *more: str) -> Any:
    return Annotated[Path | None, typer.Option(f"--{name}", *more, hidden=True)]


LeadingConfig = _option("config", "-c")
LeadingConfDir = _option("confdir")
LeadingRunDir = _option("rundir")
LeadingLogDir = _option("logdir")
LeadingStateDir = _option("statedir")
LeadingPidFile = _option("pidfile")
UserOption = Annotated[
    bool,
    typer.Option(
        "--user",
        help="Use the folders below ~/.plancton, as 0.6.0 did: conf, run, log, state.",
    ),
]


def pass_on(context: typer.Context, *, user: bool, places: Mapping[str, Path | None]) -> None:
    """Make *places* the defaults of the verb that follows; those it does not know are left out.

    *user*: the folders of 0.6.0 below the home of who runs it, where *places* name none.
    """
    given = {name: str(path) for name, path in places.items() if path is not None}
    if user:
        given = _user_places() | given
    context.default_map = _defaults(context.command, given)


def _defaults(verb: Any, given: dict[str, str]) -> dict[str, Any]:
    """Return the defaults of a verb, or of each verb below it, as in ``config check``."""
    below = getattr(verb, "commands", {})
    return {name: _defaults(each, given) for name, each in below.items()} or given


def _user_places() -> dict[str, str]:
    from plancton.runtime.file_modes import make_folder

    home = Path.home() / ".plancton"
    make_folder(home, 0o700)
    folders = {"confdir": "conf", "rundir": "run", "logdir": "log", "statedir": "state"}
    places = {name: str(home / folder) for name, folder in folders.items()}
    return {**places, "pidfile": str(home / "plancton.pid")}
