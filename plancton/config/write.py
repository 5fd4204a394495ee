"""A configuration as YAML, its JSON schema, and the reference page."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel

from plancton.config.expressions import MEASURED, PLAIN, SPANS
from plancton.config.schema import Config, Image, Node, Profile, Protect, Spawn

_MASK = "***"


def to_yaml(config: Config, *, mask: bool = False, changes_only: bool = False) -> str:
    """Return the native form. *mask* hides environment values, *changes_only* defaults."""
    values = config.model_dump(mode="json", exclude_defaults=changes_only)
    for profile in values.get("pilots", ()):
        if mask:
            profile["env"] = dict.fromkeys(profile["env"], _MASK)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the native form."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return {**schema, "title": "Plancton configuration"}


_GROUPS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("node", Node),
    ("pilots (a list of profiles)", Profile),
    ("spawn", Spawn),
    ("protect", Protect),
    ("image", Image),
)


def reference() -> str:
    """Return the tables of the reference page, made from the schema itself."""
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
        rows.append(f"| `{name}` | {_shown(field.default)} | {meaning} |")
    table = "\n".join(rows) if len(rows) > 2 else ""
    head = f"## {title}\n\n{model.__doc__}\n\n{table}".rstrip()
    groups = (_group(", ".join(names), model) for model, names in inner.items())
    return "\n\n".join([head, *groups])


def _shown(value: Any) -> str:
    return "" if value is None else f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(str(each) for each in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "text", value)) if value != "" else '""'
