"""Queries in InfluxQL."""

from __future__ import annotations


def over_time(what: str, measurement: str, *tags: str, node: str = "") -> str:
    """Return a query over steps of time. *node*: name of the variable that chooses one node."""
    groups = "".join(f', "{tag}"' for tag in tags)
    return (
        f'SELECT {what} FROM "{measurement}" WHERE $timeFilter{_only(node)} '  # noqa: S608
        f"GROUP BY time($__interval){groups} fill(none)"
    )


def newest(what: str, measurement: str, *tags: str, node: str = "") -> str:
    """Return a query for the newest values. *node*: as in ``over_time``."""
    groups = " GROUP BY " + ", ".join(f'"{tag}"' for tag in tags) if tags else ""
    return f'SELECT {what} FROM "{measurement}" WHERE $timeFilter{_only(node)}{groups}'  # noqa: S608


def _only(node: str) -> str:
    return f' AND "{node}" =~ /^${node}$/' if node else ""


def each(function: str, *fields: str) -> str:
    """Return one function of several fields."""
    return ", ".join(f'{function}("{field}") AS "{field}"' for field in fields)


def growth(field: str) -> str:
    """Return how fast a counter grows, per second."""
    return f'non_negative_derivative(last("{field}"), 1s)'


def rate(*fields: str) -> str:
    """Return how fast counters grow, each named by itself."""
    return ", ".join(f'{growth(field)} AS "{field}"' for field in fields)
