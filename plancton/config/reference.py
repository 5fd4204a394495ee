"""The JSON schema of the configuration, and its reference page."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import Any

import yaml
from pydantic import BaseModel

from plancton.config.calendar import Lending
from plancton.config.expressions import MEASURED, PLAIN, SPANS
from plancton.config.schema import (
    Allow,
    Config,
    ElasticTarget,
    Image,
    InfluxTarget,
    Monitor,
    Node,
    Objective,
    Profile,
    Protect,
    Remote,
    Rule,
    Spawn,
)
from plancton.config.schema.types import Group


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the native form."""
    _describe_fields(Group)
    Config.model_rebuild(force=True)  # once more: its parts were described after it
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return {**schema, "title": "Plancton configuration"}


def _describe_fields(model: type[BaseModel]) -> None:
    """Make the docstring below each field its description, in *model* and all made from it.

    pydantic's use_attribute_docstrings would do so whenever a configuration is read: 80 ms.
    """
    for base in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (source,) = ast.parse(inspect.getsource(base)).body
        for statement, below in pairwise(ast.iter_child_nodes(source)):
            match statement, below:
                case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    model.model_fields[name].description = inspect.cleandoc(text)
    model.model_rebuild(force=True)
    for each in model.__subclasses__():
        _describe_fields(each)


_GROUPS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("node", Node),
    ("pilots (a list of profiles)", Profile),
    ("spawn", Spawn),
    ("protect", Protect),
    ("protect.slo (a list of objectives)", Objective),
    ("image", Image),
    ("monitor", Monitor),
    ("monitor.influxdb (a list)", InfluxTarget),
    ("monitor.elasticsearch (a list)", ElasticTarget),
    ("remote", Remote),
    ("allow", Allow),
    ("match (a list of rules)", Rule),
)


def reference() -> str:
    """Return the tables of the reference page, made from the schema itself."""
    _describe_fields(Group)
    parts = [_group(title, model) for title, model in _GROUPS]
    plain = [f"| `{name}` | {meaning} |" for name, meaning in PLAIN.items()]
    spans = ", ".join(f"`_{span}`" for span in SPANS)
    measured = [f"| `{name}`, with {spans} | {meaning} |" for name, meaning in MEASURED.items()]
    table = "\n".join(["| name | meaning |", "|---|---|", *plain, *measured])
    ends = (
        "A bare name is the value of now; with an ending it is the mean over the last 5 or 30 "
        "minutes, 1 or 12 hours, or day, as far as they were seen. Means survive a restart."
    )
    return "\n\n".join([*parts, f"## Names in expressions\n\n{table}\n\n{ends}"])


def _group(title: str, model: type[BaseModel]) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    inner: dict[type[BaseModel], list[str]] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            inner.setdefault(type(field.default), []).append(f"{title}.{name}")
            continue
        meaning = " ".join((field.description or "").split())
        usual = "must be given" if field.is_required() else _shown(field.default)
        rows.append(f"| `{name}` | {usual} | {meaning} |")
    table = "\n".join(rows) if len(rows) > 2 else ""
    about = inspect.cleandoc(model.__doc__ or "")
    head = f"## {title}\n\n{about}\n\n{table}".rstrip()
    groups = (_group(", ".join(names), model) for model, names in inner.items())
    return "\n\n".join([head, *groups])


def _shown(value: Any) -> str:
    return "" if value is None else f"`{_word(value)}`"


def _word(value: Any) -> str:
    if isinstance(value, Lending):
        return _word(value.texts)
    if isinstance(value, tuple):
        return yaml.safe_dump(list(value), default_flow_style=True, width=1000).strip()
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "text", value)) if value != "" else '""'
