"""From a profile to Apptainer's command line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from plancton.config.schema import Profile

_SCHEMES = ("docker://", "oras://", "library://")
_ULIMITS = (
    *("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc"),
    *("rss", "rtprio", "rttime", "sigpending", "stack"),
)


_NEVER = {
    "devices": "cannot be given to a pilot; leave it out",
    "privileged": "pilots never get rights on the host; leave it out",
    "cap_add": "pilots get no capabilities; leave it out",
    "tmpfs": "is not to be had; bind a folder instead, or leave read_only out",
}
"""Keys that this engine cannot honour, whatever they say."""


def is_local(image: str) -> bool:
    """Say whether an image is a file, or a folder, of the node."""
    return image.startswith("/")


def source_of(image: str) -> str:
    """Return what Apptainer pulls: a bare reference is one of a registry of Docker's kind."""
    return image if is_local(image) or image.startswith(_SCHEMES) else f"docker://{image}"


def network_of(profile: Profile) -> str:
    """Return the network that a pilot gets: the host's where nothing is said."""
    return profile.network if "network" in profile.model_fields_set else "host"


def command_line(
    program: str, profile: Profile, image: str, binds: Iterable[str]
) -> tuple[str, ...]:
    """Return the command that runs a pilot from the image at a path.

    *binds* are mounted beside those of the profile.
    """
    words = [program, "--silent", "exec" if profile.command else "run"]
    words += ["--containall", "--no-home", "--pwd", "/"]
    words += [] if profile.init else ["--no-init"]
    words += [] if profile.read_only else ["--writable-tmpfs"]
    if network_of(profile) == "none":
        words += ["--net", "--network", "none"]
    for bind in (*map(_bind, profile.binds), *binds):
        words += ["--bind", bind]
    return (*words, image, *profile.command)


def environment(
    profile: Profile, own: Mapping[str, str], host: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of Apptainer itself: what the pilot gets is named so for it.

    Values never stand in a command line, which everybody on the node may read.
    """
    kept = ("PATH", "LANG", "TMPDIR", "http_proxy", "https_proxy", "no_proxy")
    outer = {name: host[name] for name in kept if name in host}
    outer |= {name: value for name, value in host.items() if name.startswith("APPTAINER_")}
    return outer | {f"APPTAINERENV_{name}": value for name, value in {**own, **profile.env}.items()}


def refusals(profile: Profile) -> Iterator[str]:
    """Yield the keys of a profile that this engine cannot honour, each with what to write."""
    if network_of(profile) not in ("host", "none"):
        yield f"network: {profile.network} is not to be had; write host or none"
    yield from (f"{key}: {why}" for key, why in _NEVER.items() if getattr(profile, key))
    if set(profile.security_opt) - {"no-new-privileges"}:
        yield "security_opt: only no-new-privileges, which always holds; leave it out"
    volumes = [bind for bind in profile.binds if not bind.startswith("/")]
    if volumes:
        yield f"binds: {volumes[0]!r} names a volume, which only Docker has; write a folder's path"
    user = user_of(profile)
    if user is None:
        yield f"user: {profile.user!r} must be numbers here, uid:gid"
    elif user[0] == 0:
        yield "user: root would have all rights on the node; write another user's number"
    unknown = sorted(set(profile.ulimits) - set(_ULIMITS))
    if unknown:
        yield f"ulimits: there is no {unknown[0]}"


def user_of(profile: Profile) -> tuple[int, int] | None:
    """Return the user and group that a pilot runs as, if root starts it; None: not as numbers."""
    uid, _, gid = profile.user.partition(":")
    if uid.isdecimal() and (gid.isdecimal() or not gid):
        return int(uid), int(gid or uid)
    return None


def _bind(bind: str) -> str:
    """Return a bind as Apptainer takes it: it knows ro and rw, and is read-only without a word."""
    source, target, *options = bind.split(":")
    chosen = {each for part in options for each in part.split(",")}
    return f"{source}:{target}:{'rw' if 'rw' in chosen else 'ro'}"
