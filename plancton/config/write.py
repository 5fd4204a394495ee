"""A configuration as YAML, its JSON schema, and the reference page."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from plancton.config.expressions import MEASURED, PLAIN, SPANS
from plancton.config.schema import (
    Allow,
    Config,
    ElasticTarget,
    Image,
    InfluxTarget,
    Monitor,
    Node,
    Profile,
    Protect,
    Remote,
    Rule,
    Spawn,
)
from plancton.config.state import ConfigState, Setting

_MASK = "***"


def to_yaml(config: Config, *, mask: bool = False, changes_only: bool = False) -> str:
    """Return the native form. *mask* hides environment values, *changes_only* defaults."""
    values = plain(config, mask=mask, changes_only=changes_only)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def plain(config: Config, *, mask: bool, changes_only: bool = False) -> dict[str, Any]:
    """Return the native form as plain values, without rules; see ``to_yaml``."""
    values = config.model_dump(mode="json", exclude_defaults=changes_only, exclude={"match"})
    if mask:
        for profile in values.get("pilots", ()):
            if "env" in profile:
                profile["env"] = dict.fromkeys(profile["env"], _MASK)
        if "url" in values.get("remote", {}):
            values["remote"]["url"] = without_credentials(config.remote.url)
        for target in _targets(values.get("monitor", {})):
            for key in ("token", "api_key"):
                if target.get(key):
                    target[key] = _MASK
            target["url"] = without_credentials(target["url"])
    return values


def _targets(monitor: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("influxdb", "elasticsearch"):
        yield from monitor.get(kind, ())


def without_credentials(url: str) -> str:
    """Return *url* with what stands before the @ of its host masked."""
    return re.sub(r"(://)[^/@\s]+@", rf"\1{_MASK}@", url)


def differences(old: Config, new: Config) -> list[tuple[str, str, str]]:
    """Return key, old and new value of all that differs; secrets are masked, empty is absent."""
    before, after = (dict(_flat(plain(each, mask=True))) for each in (old, new))
    hidden = dict(_flat(plain(old, mask=False))), dict(_flat(plain(new, mask=False)))
    keys = dict.fromkeys((*before, *after))
    return [
        (key, before.get(key, ""), after.get(key, ""))
        for key in keys
        if hidden[0].get(key) != hidden[1].get(key)
    ]


def settings(state: ConfigState) -> tuple[Setting, ...]:
    """Return every value in force, and which file sets it; secrets are masked."""

    def origin(key: str) -> str:
        return next((each.name for each in state.layers if _sets(each.values, key)), "")

    values = _flat(plain(state.config, mask=True))
    return tuple(Setting(key, value, origin(key)) for key, value in values)


def _sets(values: Any, key: str) -> bool:
    """Say whether *key*, or a mapping around it, stands in a file's values."""
    for part in key.split("."):
        name, _, profile = part.partition("[")
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
        if profile and isinstance(values, list | tuple):
            named = (each for each in values if isinstance(each, Mapping))
            values = next(
                (each for each in named if each.get("name", "default") == profile[:-1]), None
            )
    return True


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif key == "pilots":
        for profile in value:
            yield from _flat(profile, f"pilots[{profile['name']}]")
    else:
        yield key, json.dumps(value)


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
    ("monitor", Monitor),
    ("monitor.influxdb (a list)", InfluxTarget),
    ("monitor.elasticsearch (a list)", ElasticTarget),
    ("remote", Remote),
    ("allow", Allow),
    ("match (a list of rules)", Rule),
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
    if isinstance(value, tuple):
        return "[" + ", ".join(str(each) for each in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "text", value)) if value != "" else '""'
