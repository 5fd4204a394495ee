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

from plancton.monitor.dashboards.panels import Dashboard, Panel, Query

_MIN_INTERVAL = "1m"
"""Shortest step of time: nodes report less often than Grafana would ask."""
_WIDTH = {"stat": 4, "name": 4, "table": 24}
_HEIGHT = {"stat": 4, "name": 4, "table": 10}
_NEWEST_ONLY = ("stat", "name")
GrafanaPanel = stat.Panel | table.Panel | timeseries.Panel


def export(board: Dashboard, source: str = "") -> str:
    """Return a dashboard as JSON; *source* is the data source that is chosen at first."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.name)
        .tags(["plancton"])
        .refresh("1m")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_data_source_variable(board, source))
    )
    if board.variable:
        built.with_variable(_node_variable(board))
    for panel in board.panels:
        built.with_panel(_grafana_panel(board, panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _data_source_variable(board: Dashboard, source: str) -> dashboard.DatasourceVariable:
    variable = dashboard.DatasourceVariable("source").label("Data source").type(board.source)
    return variable.current(VariableOption(True, source, source)) if source else variable


def _node_variable(board: Dashboard) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(board.variable)
        .label(board.variable.capitalize())
        .datasource(_data_source(board))
        .query(board.choices)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _data_source(board: Dashboard) -> DataSourceRef:
    return DataSourceRef(board.source, "${source}")


def _grafana_panel(board: Dashboard, panel: Panel) -> GrafanaPanel:
    built = _empty_panel(panel)
    built.title(panel.title).datasource(_data_source(board)).unit(panel.unit)
    built.span(_WIDTH.get(panel.kind, 12)).height(_HEIGHT.get(panel.kind, 8))
    if panel.kind not in _NEWEST_ONLY:
        built.interval(_MIN_INTERVAL)
    for ref_id, query in zip(ascii_uppercase, panel.queries, strict=False):
        built.with_target(_grafana_query(board, panel, ref_id, query))
    if panel.kind == "table" and board.source == "prometheus":
        _merge_into_one_table(built, panel)
    return built


def _empty_panel(panel: Panel) -> GrafanaPanel:
    match panel.kind:
        case "stat" | "name":
            # A stat shows numbers alone unless told to show any field, words too.
            newest = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/")
            text = BigValueTextMode.NAME if panel.kind == "name" else BigValueTextMode.AUTO
            return stat.Panel().reduce_options(newest).text_mode(text)
        case "table":
            return table.Panel()
        case "bars":
            return timeseries.Panel().draw_style(GraphDrawStyle.BARS).fill_opacity(60)
        case "stack":
            stacked = common.StackingConfig().mode(StackingMode.NORMAL)
            return timeseries.Panel().stacking(stacked).fill_opacity(60)
    return timeseries.Panel()


def _grafana_query(board: Dashboard, panel: Panel, ref_id: str, query: Query) -> Builder[Dataquery]:
    if board.source == "influxdb":
        return _InfluxQlQuery(query, ref_id, "table" if panel.kind == "table" else "time_series")
    built = prometheus.Dataquery().expr(query.text).ref_id(ref_id)
    if panel.kind == "table":
        return built.instant().format(PromQueryFormat.TABLE)
    if query.legend:
        built.legend_format(query.legend)
    return built.instant() if panel.kind in _NEWEST_ONLY else built.range()


def _merge_into_one_table(built: GrafanaPanel, panel: Panel) -> None:
    """Make one table, a row for each node, of the answers of all queries."""
    built.with_transformation(DataTransformerConfig("merge", options={}))
    built.with_transformation(
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {"Time": True, "Value #A": True},
                "renameByName": {
                    "plancton_mode": "mode",
                    **{
                        f"Value #{ref_id}": query.legend
                        for ref_id, query in zip(ascii_uppercase, panel.queries, strict=False)
                    },
                },
            },
        )
    )


class _InfluxQlQuery(Builder[Dataquery], Dataquery):
    """A query in InfluxQL, for which the library has no type."""

    def __init__(self, query: Query, ref_id: str, result_format: str) -> None:
        self._values = {
            "alias": query.legend,
            "query": query.text,
            "rawQuery": True,
            "refId": ref_id,
            "resultFormat": result_format,
        }

    def build(self) -> Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        return dict(self._values)
