"""What a remote configuration may ask for. Pure; what exceeds it is refused, never cut."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from plancton.config.schema import Allow, Config, Profile
from plancton.config.yaml_source import KeyPath

Violation = tuple[KeyPath, str]

_USUAL = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""Capabilities that Docker gives each container anyway (docs.docker.com, "Linux capabilities")."""
_LOCAL: tuple[KeyPath, ...] = (
    ("remote",),
    ("allow",),
    ("node", "name"),
    ("node", "instance"),
    ("node", "labels"),
    ("node", "docker"),
    ("image", "docker_config"),
)


def keys_only_for_the_local_file(values: Mapping[Any, Any]) -> Iterator[Violation]:
    """Yield the keys of a remote configuration that only the local file may have."""
    for place in _LOCAL:
        if _value_at(values, place) is not None:
            yield place, "only the local file may say this"


def keys_forbidden_in_rules(values: Mapping[Any, Any]) -> Iterator[Violation]:
    """Yield the keys of rules that no rule may set: who the node is, which rules ask for."""
    for index, rule in enumerate(values.get("match", ())):
        for place in _LOCAL:
            if _value_at(rule["set"], place) is not None:
                yield ("match", index, "set", *place), "a rule may not set this"


def _value_at(values: Any, place: KeyPath) -> Any:
    for part in place:
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def violations(config: Config, allow: Allow) -> Iterator[Violation]:
    """Yield what a remote configuration asks for beyond *allow*, and how to allow it."""
    for index, profile in enumerate(config.pilots):
        for key, asked, needed in _requested(profile, allow):
            text = f"{asked} is not allowed here; the local file may say allow.{needed}"
            yield ("pilots", index, key), text
    if config.protect.oom_score_adj < 0:
        text = "a remote configuration may not protect pilots from the out-of-memory killer"
        yield ("protect", "oom_score_adj"), text


def _requested(profile: Profile, allow: Allow) -> Iterator[tuple[str, str, str]]:
    """Yield key, value and the permission that is lacking."""
    if profile.privileged and not allow.privileged:
        yield "privileged", "privileged", "privileged: true"
    if not allow.root and is_root(profile.user):
        yield "user", "root", "root: true"
    if not any(fnmatchcase(profile.image, pattern) for pattern in allow.images):
        yield "image", profile.image, f'images: ["{profile.image}"]'
    if profile.network not in allow.networks:
        yield "network", profile.network, f"networks: [{profile.network}]"
    if allow.memory is not None and profile.memory + profile.swap > allow.memory:
        yield "memory", f"{profile.memory + profile.swap} bytes", "memory"
    yield from _listed(profile, allow)


def _listed(profile: Profile, allow: Allow) -> Iterator[tuple[str, str, str]]:
    allowed = _USUAL | {capability(each) for each in allow.capabilities}
    for each in profile.cap_add:
        if capability(each) not in allowed and "ALL" not in allowed:
            yield "cap_add", each, f"capabilities: [{each}]"
    for each in profile.binds:
        # What is no path is a named volume, in a folder of Docker's own.
        if each.startswith("/") and not any(_bind_within(each, place) for place in allow.binds):
            yield "binds", each, f"binds: [{each.split(':')[0]}]"
    for each in profile.devices:
        source = each.partition(":")[0]
        if not any(_within(source, folder) for folder in allow.devices):
            yield "devices", source, f"devices: [{source}]"
    for each in profile.security_opt:
        if each not in allow.security_opt:
            yield "security_opt", each, f'security_opt: ["{each}"]'


def widened_for(config: Config, allow: Allow = Allow()) -> Allow:  # noqa: B008 (frozen)
    """Return *allow*, widened by exactly what *config* asks for."""
    wider: dict[str, Any] = allow.model_dump()
    for profile in config.pilots:
        for key, asked, _ in _requested(profile, allow):
            match key:
                case "privileged":
                    wider["privileged"] = True
                case "user":
                    wider["root"] = True
                case "memory":
                    wider["memory"] = max(wider["memory"], profile.memory + profile.swap)
                case "binds":
                    wider["binds"] += (asked.split(":")[0],)
                case _:
                    name = {"cap_add": "capabilities", "image": "images"}.get(key, key)
                    name = {"network": "networks"}.get(name, name)
                    wider[name] += (asked,)
    unique = {
        name: tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value
        for name, value in wider.items()
    }
    return Allow.model_validate(unique)


def is_root(user: str) -> bool:
    """Say whether a profile's user is root inside the container."""
    name = user.partition(":")[0]
    return name in ("", "root") or (name.isdecimal() and int(name) == 0)


def capability(name: str) -> str:
    """Return a capability's name without its usual beginning."""
    return name.upper().removeprefix("CAP_")


def _bind_within(bind: str, allowed: str) -> bool:
    """Say whether a bind lies in an allowed folder, and only reads it where that is asked."""
    source, _, options = bind.partition(":")
    folder, _, mode = allowed.partition(":")
    writes = "rw" in options.partition(":")[2].split(",")
    return _within(source, folder) and not (mode == "ro" and writes)


def _within(path: str, folder: str) -> bool:
    real, above = posixpath.normpath(path), posixpath.normpath(folder)
    return real == above or real.startswith(above.rstrip("/") + "/")
