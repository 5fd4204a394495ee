"""A configuration as YAML, as settings, and what differs between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from plancton.config.effective import ConfigState, Setting
from plancton.config.schema import (
    Config,
)

_MASK = "***"
_HARMLESS = frozenset({"at", "branch", "db", "format", "inline", "path", "raw", "ref", "rev"})
"""Names in the query of an URL whose values are no secrets."""


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
        for figure in values.get("protect", {}).get("slo", ()):
            _mask_figure(figure)
    return values


def _mask_figure(figure: dict[str, Any]) -> None:
    if figure.get("token"):
        figure["token"] = _MASK
    for key in ("http", "prometheus"):
        if figure.get(key):
            figure[key] = without_credentials(figure[key])


def _targets(monitor: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("influxdb", "elasticsearch"):
        yield from monitor.get(kind, ())


def without_credentials(url: str) -> str:
    """Return *url* without what may let somebody in.

    That is what stands before the @ of its host, and the values of its query, but for those
    whose names say that they only choose what is meant.
    """
    masked = re.sub(r"(://)[^/@\s]+@", rf"\1{_MASK}@", url)
    return re.sub(
        r"([?&])([^=&#\s]+)=[^&#\s]*",
        lambda found: found[0] if found[2] in _HARMLESS else f"{found[1]}{found[2]}={_MASK}",
        masked,
    )


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
