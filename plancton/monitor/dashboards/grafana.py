"""Dashboards as Grafana (10.1 or newer) imports them, built by Grafana's own library."""

from __future__ import annotations

from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import BigValueTextMode, GraphDrawStyle, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from plancton.monitor.dashboards.panels import Pane, Query, Sheet

_STEP = "1m"
"""Shortest step of time: nodes report less often than Grafana would ask."""
_WIDTH = {"stat": 4, "name": 4, "table": 24}
_HEIGHT = {"stat": 4, "name": 4, "table": 10}
_NOW = ("stat", "name")
Panel = stat.Panel | table.Panel | timeseries.Panel


def export(sheet: Sheet, source: str = "") -> str:
    """Return a dashboard as JSON; *source* is the data source that is chosen at first."""
    made = (
        dashboard.Dashboard(sheet.title)
        .uid(sheet.name)
        .tags(["plancton"])
        .refresh("1m")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_source(sheet, source))
    )
    if sheet.variable:
        made.with_variable(_choice(sheet))
    for pane in sheet.panes:
        made.with_panel(_panel(sheet, pane))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _source(sheet: Sheet, source: str) -> dashboard.DatasourceVariable:
    variable = dashboard.DatasourceVariable("source").label("Data source").type(sheet.source)
    return variable.current(VariableOption(True, source, source)) if source else variable


def _choice(sheet: Sheet) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(sheet.variable)
        .label(sheet.variable.capitalize())
        .datasource(_reference(sheet))
        .query(sheet.choices)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _reference(sheet: Sheet) -> DataSourceRef:
    return DataSourceRef(sheet.source, "${source}")


def _panel(sheet: Sheet, pane: Pane) -> Panel:
    panel = _empty(pane)
    panel.title(pane.title).datasource(_reference(sheet)).unit(pane.unit)
    panel.span(_WIDTH.get(pane.kind, 12)).height(_HEIGHT.get(pane.kind, 8))
    if pane.kind not in _NOW:
        panel.interval(_STEP)
    for mark, query in zip(ascii_uppercase, pane.queries, strict=False):
        panel.with_target(_target(sheet, pane, mark, query))
    if pane.kind == "table" and sheet.source == "prometheus":
        _one_table(panel, pane)
    return panel


def _empty(pane: Pane) -> Panel:
    match pane.kind:
        case "stat" | "name":
            # A stat shows numbers alone unless told to show any field, words too.
            newest = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/")
            text = BigValueTextMode.NAME if pane.kind == "name" else BigValueTextMode.AUTO
            return stat.Panel().reduce_options(newest).text_mode(text)
        case "table":
            return table.Panel()
        case "bars":
            return timeseries.Panel().draw_style(GraphDrawStyle.BARS).fill_opacity(60)
        case "stack":
            stacked = common.StackingConfig().mode(StackingMode.NORMAL)
            return timeseries.Panel().stacking(stacked).fill_opacity(60)
    return timeseries.Panel()


def _target(sheet: Sheet, pane: Pane, mark: str, query: Query) -> Builder[Dataquery]:
    if sheet.source == "influxdb":
        return _InfluxQuery(query, mark, "table" if pane.kind == "table" else "time_series")
    made = prometheus.Dataquery().expr(query.text).ref_id(mark)
    if pane.kind == "table":
        return made.instant().format(PromQueryFormat.TABLE)
    if query.legend:
        made.legend_format(query.legend)
    return made.instant() if pane.kind in _NOW else made.range()


def _one_table(panel: Panel, pane: Pane) -> None:
    """Make one table, a row for each node, of the answers of all queries."""
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True, "Value #A": True},
                "renameByName": {
                    "plancton_mode": "mode",
                    **{
                        f"Value #{mark}": query.legend
                        for mark, query in zip(ascii_uppercase, pane.queries, strict=False)
                    },
                },
            },
        )
    )


class _InfluxQuery(Builder[Dataquery], Dataquery):
    """A query in InfluxQL, for which the library has no type."""

    def __init__(self, query: Query, mark: str, form: str) -> None:
        self._values = {
            "alias": query.legend,
            "query": query.text,
            "rawQuery": True,
            "refId": mark,
            "resultFormat": form,
        }

    def build(self) -> Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        return dict(self._values)
