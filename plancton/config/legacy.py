"""Configuration files of Plancton 0.6.0, recognised and translated."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from plancton.config.units import parse_duration
from plancton.config.yaml_source import Source

DEFAULTS: Mapping[str, Any] = {
    "influxdb_url": [],
    "updateconfig": 60,
    "image_expiration": 43200,
    "main_sleep": 30,
    "grace_kill": 120,
    "grace_spawn": 60,
    "cpus_per_dock": 1,
    "max_docks": "ncpus - 2",
    "docks_per_loop": 4,
    "max_ttl": 43200,
    "docker_image": "busybox",
    "docker_cmd": "/bin/sleep 60",
    "docker_privileged": False,
    "max_dock_mem": 2000000000,
    "max_dock_swap": 0,
    "user_group": "0:0",
    "binds": [],
    "devices": [],
    "capabilities": [],
    "security_opts": [],
}
"""The keys of 0.6.0 with their defaults."""

_PLACES: Mapping[str, tuple[str, ...]] = {
    "influxdb_url": ("monitor", "influxdb"),
    "main_sleep": ("node", "interval"),
    "image_expiration": ("image", "refresh"),
    "grace_kill": ("protect", "evict_after"),
    "grace_spawn": ("protect", "hold_after_eviction"),
    "max_docks": ("spawn", "maximum"),
    "docks_per_loop": ("spawn", "per_tick"),
    "cpus_per_dock": ("pilots", "cpus"),
    "max_ttl": ("pilots", "ttl"),
    "docker_image": ("pilots", "image"),
    "docker_cmd": ("pilots", "command"),
    "docker_privileged": ("pilots", "privileged"),
    "max_dock_mem": ("pilots", "memory"),
    "max_dock_swap": ("pilots", "swap"),
    "user_group": ("pilots", "user"),
    "binds": ("pilots", "binds"),
    "devices": ("pilots", "devices"),
    "security_opts": ("pilots", "security_opt"),
}
"""Where each key went; capabilities became cap_add and cap_drop."""


def is_legacy(values: Mapping[Any, Any]) -> bool:
    """Say whether these are keys of 0.6.0: flat ones, and none of our groups."""
    native = {"node", "pilots", "spawn", "protect", "image", "monitor"}
    native |= {"remote", "allow", "match"}
    return not native & set(values) and bool(set(DEFAULTS) & set(values))


def translate(source: Source) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the native form and remarks. Absent keys get their 0.6.0 defaults."""
    given = {key: value for key, value in source.values.items() if value is not None}
    values = {**DEFAULTS, **given}
    pilot: dict[str, Any] = {
        # What 0.6.0 gave every container, whatever the file said.
        "cap_drop": (),
        "disk": 0,  # it set no bound
        "pids": 32768,  # it set no limit; this is the kernel's own for a whole machine
        "init": False,
        "network": "bridge",
    }
    native: dict[str, Any] = {
        "node": {},
        # 0.6.0 looked at no memory before it started a pilot.
        "spawn": {"memory_promise": 0},
        "protect": {},
        "image": {},
        "monitor": {},
        "pilots": [pilot],
    }
    for key, (group, name) in _PLACES.items():
        target = pilot if group == "pilots" else native[group]
        target[name] = _TURNED.get(key, lambda value: value)(values[key])
    with suppress(ValueError):
        # 0.6.0 reported once a loop.
        native["monitor"]["interval"] = max(1.0, parse_duration(values["main_sleep"]))
    # The time to the end of a pilot stays; in its first part it is not frozen yet.
    with suppress(ValueError):
        whole = parse_duration(values["grace_kill"])
        first = min(30.0, whole / 4)
        native["protect"] |= {"freeze_after": first, "evict_after": whole - first}
    capabilities = [str(each) for each in _list(values["capabilities"])]
    pilot["cap_add"] = [each.lstrip("+") for each in capabilities if not each.startswith("-")]
    pilot["cap_drop"] = [each.lstrip("-") for each in capabilities if each.startswith("-")]
    return native, _warnings(source, values)


def origin(place: tuple[str | int, ...]) -> str:
    """Return the 0.6.0 key behind a place in the native form."""
    names = tuple(str(part) for part in place if not isinstance(part, int))[:2]
    if names[-1:] in (("cap_add",), ("cap_drop",)):
        return "capabilities"
    return next((key for key, where in _PLACES.items() if where == names), ".".join(names))


def _warnings(source: Source, values: Mapping[str, Any]) -> tuple[str, ...]:
    said = []
    for key in source.values:
        if key not in DEFAULTS:
            close = difflib.get_close_matches(str(key), DEFAULTS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            said.append(
                f"{source.file}:{source.line((str(key),))}: {key} is no key of 0.6.0, ignored{hint}"
            )
    if "updateconfig" in source.values:
        said.append("updateconfig: a configuration is fetched where the local file says remote.url")
    if any(isinstance(each, str) and "#" not in each for each in _listed(values["influxdb_url"])):
        said.append("influxdb_url: an address without #database is ignored, as 0.6.0 did")
    return tuple(said)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] if value else []


def _listed(value: Any) -> list[Any]:
    """Return the members of a list; one address alone is none, and must be whole."""
    return list(value) if isinstance(value, list | tuple) else []


def _databases(value: Any) -> list[Any]:
    given = [each for each in _listed(value) if not isinstance(each, str) or "#" in each]
    return given if isinstance(value, list | tuple) else _list(value)


def _command(value: Any) -> Any:
    """Split at blanks only, as 0.6.0 did."""
    return value.split() if isinstance(value, str) else value


def _bind(bind: Any) -> Any:
    """Mount as 0.6.0 did: read-write and shared. A bind that names its mode keeps it."""
    plain = isinstance(bind, str) and bind.count(":") == 1
    return f"{bind}:rw,shared,Z" if plain else bind


def _device(device: Any) -> Any:
    if not isinstance(device, Mapping):
        return device
    names = ("PathOnHost", "PathInContainer", "CgroupPermissions")
    host, inside, rights = (device.get(name) for name in names)
    return ":".join([str(host), str(inside or host), str(rights or "rwm")])


_TURNED: Mapping[str, Any] = {
    "influxdb_url": _databases,
    "docker_cmd": _command,
    "user_group": str,
    "binds": lambda value: [_bind(each) for each in _list(value)],
    "devices": lambda value: [_device(each) for each in _list(value)],
    "security_opts": _list,
}
