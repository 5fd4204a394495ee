"""Verbs around the databases of metrics: all nodes at a glance, dashboards."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import Json, RunDir, node_of
from plancton.cli.terminal import say, watching

if TYPE_CHECKING:
    from plancton.engine.views.fleet import Member

_PAUSE = 5.0

dashboards = typer.Typer(
    help="Dashboards for Grafana.", no_args_is_help=True, rich_markup_mode=None
)


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

    look = _reader(url, ca_file, rundir)

    def shown() -> str:
        members = look()
        if json:
            return as_json(members, indent=None if watch else 2)
        return fleet_text(members, time.time())

    if not watch:
        say(shown())
        return
    with suppress(KeyboardInterrupt):
        watching(shown, _PAUSE, plain=json)


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


class Database(StrEnum):
    """What Grafana asks."""

    INFLUXDB = "influxdb"
    PROMETHEUS = "prometheus"


@dashboards.command()
def export(
    folder: Annotated[
        Path, typer.Argument(help="Where the files go.", file_okay=False, show_default=True)
    ] = Path(),
    database: Annotated[
        Database | None, typer.Option("--for", help="Only those for this database.")
    ] = None,
    datasource: Annotated[
        str,
        typer.Option(help="Name of the data source in Grafana that is chosen at first."),
    ] = "",
) -> None:
    """Write dashboards for Grafana: one node, and all nodes, for InfluxDB and Prometheus.

    Import the files in Grafana, or put them into a folder that it is provisioned from.

    Example: plancton dashboards export --for influxdb /etc/grafana/dashboards
    """
    from plancton.monitor.dashboards.catalog import DASHBOARDS
    from plancton.monitor.dashboards.grafana import export as text_of

    folder.mkdir(parents=True, exist_ok=True)
    for board in DASHBOARDS:
        if database in (None, board.source):
            path = folder / f"{board.name}.json"
            path.write_text(text_of(board, datasource))
            typer.echo(f"{path}: {board.title}")
