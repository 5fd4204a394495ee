"""The verb that shows all nodes at a glance, from the database of metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import Json, RunDir, node_of
from plancton.cli.terminal import say, show_live

if TYPE_CHECKING:
    from plancton.engine.views.fleet import Member

_PAUSE = 5.0


def fleet(
    url: Annotated[
        str | None,
        typer.Option(
            envvar="PLANCTON_FLEET_URL",
            help="Database to read, as in monitor.influxdb; else the one that this node reports "
            "to. A password is safer in the environment.",
        ),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates to trust, with --url.", dir_okay=False)
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on, each 5 seconds, until Ctrl-C.")
    ] = False,
    rundir: RunDir = None,
    json: Json = False,
) -> None:
    """Show all nodes that report to one InfluxDB, those in trouble first.

    What each node reported last within a week: its mode, pilots, CPU in use, what was harvested
    on its last day, when it was heard, and what is wrong.

    Example: plancton fleet --watch
    """
    from plancton.cli.render import as_json, fleet_text

    read = _reader(url, ca_file, rundir)

    def shown() -> str:
        members = read()
        if json:
            return as_json(members, indent=None if watch else 2)
        return fleet_text(members, time.time())

    if not watch:
        say(shown())
        return
    with suppress(KeyboardInterrupt):
        show_live(shown, _PAUSE, plain=json)


def _reader(
    url: str | None, ca_file: Path | None, rundir: Path | None
) -> Callable[[], tuple[Member, ...]]:
    """Return what looks at the fleet: in the database itself, or by this node's engine."""
    if url is None:
        return node_of(rundir).engine.fleet
    from pydantic import ValidationError

    from plancton.config.schema import InfluxTarget
    from plancton.monitor.fleet_reader import read_fleet

    try:
        target = InfluxTarget(url=url, ca_file=str(ca_file or ""))
    except ValidationError as error:
        words = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(words, param_hint="--url") from None
    return lambda: read_fleet(target)
