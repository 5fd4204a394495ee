"""The verb that writes dashboards for Grafana."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Dashboards for Grafana.", no_args_is_help=True, rich_markup_mode=None)


class Database(StrEnum):
    """What Grafana asks."""

    INFLUXDB = "influxdb"
    PROMETHEUS = "prometheus"


@app.command()
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
