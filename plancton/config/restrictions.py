"""What a remote configuration may ask for. Pure; what exceeds it is refused, never cut."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from plancton.config.schema import Allow, Config, Profile
from plancton.config.units import level_of
from plancton.config.yaml_source import KeyPath

Violation = tuple[KeyPath, str]

_USUAL = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
"""Capabilities that Docker gives each container anyway (docs.docker.com, "Linux capabilities")."""
_CANONICAL_USER = re.compile(r"[1-9][0-9]{0,9}:[1-9][0-9]{0,9}")
_DOCKERS_OWN = "docker.io"
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
_MORE_THAN_READING = frozenset({"rw", "shared", "rshared"})
_THRESHOLDS = (
    *(("memory", key) for key in ("stop_below", "evict_below", "reclaim_below")),
    *(("disk", key) for key in ("stop_below", "evict_below")),
    *(("disk", key) for key in ("stop_below_inodes", "evict_below_inodes")),
)
"""Levels below which the node is protected whoever wrote the configuration; 0 is off, too."""
_PIDS = 4_194_304
"""Most processes that Linux can have."""
_LOCAL: tuple[KeyPath, ...] = (
    ("remote",),
    ("allow",),
    ("node", "name"),
    ("node", "instance"),
    ("node", "labels"),
    ("node", "docker"),
    ("node", "docker_certs"),
    ("node", "engine"),
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
    yield from _of_the_node(config, allow)


def _of_the_node(config: Config, allow: Allow) -> Iterator[Violation]:
    """Yield what would leave the node's owner without protection, or the node open."""
    protect, listener = config.protect, config.monitor.prometheus
    if protect.oom_score_adj < 0:
        text = "a remote configuration may not protect pilots from the out-of-memory killer"
        yield ("protect", "oom_score_adj"), text
    for group, key in _THRESHOLDS:
        if not level_of(getattr(getattr(protect, group), key), 1.0):
            yield ("protect", group, key), "a remote configuration may not switch this off"
    for place, asked, needed in _figures(config, allow):
        text = f'{asked} is not allowed here; the local file may say allow.{needed}: ["{asked}"]'
        yield place, text
    if listener and not allow.listen and listener.rpartition(":")[0] not in _LOOPBACK:
        text = f"{listener} is not allowed here; the local file may say allow.listen: true"
        yield ("monitor", "prometheus"), text


def _figures(config: Config, allow: Allow) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield key, value and the permission that is lacking: commands and hosts of figures."""
    for index, figure in enumerate(config.protect.slo):
        place = ("protect", "slo", index)
        if figure.command and figure.command[0] not in allow.commands:
            yield (*place, "command"), figure.command[0], "commands"
        key, host = "http" if figure.http else "prometheus", figure.host
        if host and not any(host == each or fnmatchcase(host, each) for each in allow.hosts):
            yield (*place, key), host, "hosts"


def _requested(profile: Profile, allow: Allow) -> Iterator[tuple[str, str, str]]:
    """Yield key, value and the permission that is lacking."""
    if profile.privileged and not allow.privileged:
        yield "privileged", "privileged", "privileged: true"
    if not allow.root and not surely_not_root(profile.user):
        yield "user", profile.user or "the image's own user", "root: true"
    if not any(image_fits(profile.image, pattern) for pattern in allow.images):
        yield "image", profile.image, f'images: ["{profile.image}"]'
    if profile.network not in allow.networks:
        yield "network", profile.network, f"networks: [{profile.network}]"
    if allow.memory is not None and profile.memory + profile.swap > allow.memory:
        yield "memory", f"{profile.memory + profile.swap} bytes", "memory"
    if allow.disk is not None and not 0 < profile.disk <= allow.disk:
        yield "disk", f"{profile.disk} bytes" if profile.disk else "no bound", "disk"
    yield from _listed(profile, allow)


def _listed(profile: Profile, allow: Allow) -> Iterator[tuple[str, str, str]]:
    allowed = _USUAL | {capability(each) for each in allow.capabilities}
    for each in profile.cap_add:
        if capability(each) not in allowed and "ALL" not in allowed:
            yield "cap_add", each, f"capabilities: [{each}]"
    for each in profile.devices:
        source = each.partition(":")[0]
        if not any(_within(source, folder) for folder in allow.devices):
            yield "devices", source, f"devices: [{source}]"
    for each in profile.security_opt:
        if each not in allow.security_opt:
            yield "security_opt", each, f'security_opt: ["{each}"]'
    yield from _mounts(profile, allow)
    yield from _resources(profile, allow)


def _mounts(profile: Profile, allow: Allow) -> Iterator[tuple[str, str, str]]:
    for each in profile.binds:
        source = each.split(":")[0]
        if not each.startswith("/"):
            if not any(fnmatchcase(source, pattern) for pattern in allow.volumes):
                yield "binds", source, f"volumes: [{source}]"
        elif not any(_bind_within(each, place) for place in allow.binds):
            yield "binds", each, f"binds: [{source}]"


def _resources(profile: Profile, allow: Allow) -> Iterator[tuple[str, str, str]]:
    if _most_pids(profile) > allow.pids:
        yield "pids", f"{profile.pids}", f"pids: {_most_pids(profile)}"
    if profile.log_size > allow.log_size:
        yield "log_size", f"{profile.log_size} bytes", f"log_size: {profile.log_size}"
    for name in sorted(profile.ulimits.keys() - set(allow.ulimits)):
        yield "ulimits", name, f"ulimits: [{name}]"


def _most_pids(profile: Profile) -> int:
    return profile.pids if profile.pids > 0 else _PIDS


def _most(profile: Profile) -> dict[str, int]:
    return {
        "memory": profile.memory + profile.swap,
        "pids": _most_pids(profile),
        "log_size": profile.log_size,
    }


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
                case "memory" | "pids" | "log_size":
                    wider[key] = max(wider[key], _most(profile)[key])
                case "disk":
                    bounds = wider["disk"], profile.disk
                    wider["disk"] = max(bounds) if all(bounds) else None
                case "binds" if asked.startswith("/"):
                    wider["binds"] += (asked.split(":")[0],)
                case "binds":
                    wider["volumes"] += (asked,)
                case _:
                    name = {"cap_add": "capabilities", "image": "images"}.get(key, key)
                    name = {"network": "networks"}.get(name, name)
                    wider[name] += (asked,)
    for _, asked, needed in _figures(config, allow):
        wider[needed] += (asked,)
    unique = {
        name: tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value
        for name, value in wider.items()
    }
    return Allow.model_validate(unique)


def is_root(user: str) -> bool:
    """Say whether a profile's user is root inside the container."""
    name = user.partition(":")[0]
    return name in ("", "root") or (name.isdecimal() and int(name) == 0)


def surely_not_root(user: str) -> bool:
    """Say whether neither user nor group can come out as root, whatever the image.

    Docker reads more than we do: ``+0`` is root, a name is what the image says, and a user
    without a group may be in root's.
    """
    return _CANONICAL_USER.fullmatch(user) is not None


def image_fits(reference: str, pattern: str) -> bool:
    """Say whether a pattern means an image: the registry and the rest must fit, each by itself.

    A reference whose first part is no host name lies on Docker's own registry; a pattern too,
    unless that part is nothing but wildcards. Files of the node, and URLs of other kinds of
    registries, must be named as what they are.
    """
    if reference.startswith("/"):
        return pattern.startswith("/") and fnmatchcase(posixpath.normpath(reference), pattern)
    scheme, mark, address = reference.partition("://")
    if mark and scheme != "docker":
        return "://" in pattern and fnmatchcase(reference, pattern)
    reference = address if mark else reference
    if pattern == "*":
        return True
    host, name = _registry(reference)
    wanted_host, wanted_name = _registry(pattern)
    first, _, rest = pattern.partition("/")
    if rest and set(first) <= set("*?"):
        wanted_host, wanted_name = "*", rest
    return fnmatchcase(host, wanted_host) and fnmatchcase(name, wanted_name)


def _registry(reference: str) -> tuple[str, str]:
    """Return host and name, by the rule of Docker's reference package."""
    first, _, rest = reference.partition("/")
    if rest and (set(".:") & set(first) or first == "localhost"):
        return first, rest
    return _DOCKERS_OWN, reference.removeprefix("library/")


def capability(name: str) -> str:
    """Return a capability's name without its usual beginning."""
    return name.upper().removeprefix("CAP_")


def leads_astray(bind: str, allowed: Iterable[str], real: Mapping[str, str]) -> str:
    """Say where a *bind* that ``allow.binds`` permits as it is written must not lead.

    Empty: it stays. *real* tells where its source and the folders that hold it lead, links
    followed. Below a folder that pilots may write no link is followed: one of them may have made
    it, and other folders may be allowed for reading alone.
    """
    source = posixpath.normpath(bind.partition(":")[0])
    for folder in folders_holding(source, allowed, writable=True):
        below = source.removeprefix(folder).lstrip("/")
        if real[source] != posixpath.normpath(posixpath.join(real[folder], below)):
            return f"leads to {real[source]} by a link below {folder}, which pilots may write"
    fitting = [
        folder
        for place in allowed
        for folder in folders_holding(source, [place])
        if _bind_within(bind, place)
    ]
    if not any(_within(real[source], real[folder]) for folder in fitting):
        return f"leads to {real[source]}, out of {', '.join(fitting)} (allow.binds)"
    return ""


def folders_holding(source: str, allowed: Iterable[str], *, writable: bool = False) -> list[str]:
    """Return the folders of ``allow.binds`` that hold a source, or are it; only the *writable*."""
    places = [place.partition(":") for place in allowed]
    return [
        posixpath.normpath(folder)
        for folder, _, mode in places
        if _within(source, folder) and not (writable and mode == "ro")
    ]


def _bind_within(bind: str, allowed: str) -> bool:
    """Say whether a bind lies in an allowed folder, and only reads it where that is asked."""
    source, _, target = bind.partition(":")
    folder, _, mode = allowed.partition(":")
    options = set(target.partition(":")[2].split(","))
    return _within(source, folder) and not (mode == "ro" and options & _MORE_THAN_READING)


def _within(path: str, folder: str) -> bool:
    real, above = posixpath.normpath(path), posixpath.normpath(folder)
    return real == above or real.startswith(above.rstrip("/") + "/")
