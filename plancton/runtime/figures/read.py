"""Read a figure from where its settings say."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from plancton.config.schema.figure import Figure
from plancton.runtime.figures.command import run_command
from plancton.runtime.figures.error import FigureError
from plancton.runtime.figures.web import Answer, ask

_SHOWN = 40
"""Characters of an answer that an error quotes."""


def read_figure(figure: Figure, unwanted: Callable[[], bool] = lambda: False) -> float:
    """Return its number now; stops early once it is *unwanted*. Raises FigureError."""
    if figure.command:
        text = run_command(figure.command, figure.timeout, unwanted)
        return number_in(text, figure.json_path)
    if figure.prometheus:
        address = f"{figure.prometheus.rstrip('/')}/api/v1/query?query={quote(figure.query)}"
        return number_of_query(ask(address, figure.timeout, figure.token, figure.ca_file))
    answer = ask(figure.http, figure.timeout, figure.token, figure.ca_file)
    _check_status(answer)
    return number_in(answer.body.decode("utf-8", "replace"), figure.json_path)


def number_in(text: str, json_path: str = "") -> float:
    """Return the number that *text* is, or that stands at *json_path* in it. Raises FigureError."""
    if not json_path:
        return _number(text, "the answer")
    found = _parsed(text)
    for depth, key in enumerate(json_path.split("."), start=1):
        found = _entry(found, key)
        if found is None:
            raise FigureError(f"the answer has no {'.'.join(json_path.split('.')[:depth])}")
    return _number(found, json_path)


def number_of_query(answer: Answer) -> float:
    """Return the one number that Prometheus answers. Raises FigureError."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    match document:
        case {"status": "error", "error": str(why)}:
            raise FigureError(f"Prometheus refuses the query: {why[:200]}")
        case {"data": {"resultType": "scalar", "result": [_, value]}}:
            return _number(value, "the result")
        case {"data": {"resultType": "vector", "result": [{"value": [_, value]}]}}:
            return _number(value, "the result")
        case {"data": {"resultType": "vector", "result": list(series)}}:
            raise FigureError(f"the query has {len(series)} results; it must have one")
    _check_status(answer)
    raise FigureError("the answer is not one number of Prometheus")


def _check_status(answer: Answer) -> None:
    if answer.status != 200:
        raise FigureError(f"the server answers {answer.status} {answer.reason}".rstrip())


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise FigureError(f"the answer is not JSON: {_quoted(text)}") from None


def _entry(found: Any, key: str) -> Any:
    """Return an entry of a mapping or a list; None: there is none."""
    if isinstance(found, dict):
        return found.get(key)
    if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
        return found[int(key)]
    return None


def _number(found: Any, what: str) -> float:
    """Return a number, or a text that is one; nothing else, and neither NaN nor an infinity."""
    try:
        number = math.nan if isinstance(found, bool) else float(found)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise FigureError(f"{what} is not a number: {_quoted(found)}")
    return number


def _quoted(found: Any) -> str:
    text = " ".join(str(found)[: 4 * _SHOWN].split())
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
