"""The group ``pilots``: profiles."""

from __future__ import annotations

import math
import posixpath
import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from plancton.config.expressions import Expression
from plancton.config.schema.types import Duration, Group, Size, zero_if_off

_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
"""Names of volumes, after Docker's rule."""
OWN_FOLDER = "/plancton"
"""In a pilot: where Plancton puts its machine/job features, and looks for hints."""
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"


_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"


# The grammar of image references, after the distribution project's reference package.
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)


# What only Apptainer takes: a SIF file or a folder of the node, or what it pulls from elsewhere.
_URL = re.compile(r"(?:docker|oras|library)://[^\s]+")


def _reference(value: str) -> str:
    if not (_REFERENCE.fullmatch(value) or value.startswith("/") or _URL.fullmatch(value)):
        raise ValueError(
            "not an image reference: [registry[:port]/]name[:tag][@digest] "
            "(with Apptainer also the path of a file or a folder, or docker://, oras://, library://)"
        )
    return value


def is_apptainers_own(image: str) -> bool:
    """Say whether only Apptainer takes an image of this kind."""
    return _REFERENCE.fullmatch(image) is None


def _command(value: Any) -> Any:
    if isinstance(value, str):
        return shlex.split(value)
    if not isinstance(value, list | tuple):
        return value
    return [_text(each, f"word {number}") for number, each in enumerate(value, 1)]


Cores = Annotated[float, Field(ge=0.01, le=4096)]


def _cpu_limit(value: Any) -> Any:
    """Say what it may be at once: of a union each member complains by itself."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value not in ("promised", "none") and not (number and 0.01 <= value <= 4096):
        raise ValueError("must be promised, none, or a number of cores from 0.01 to 4096")
    return value


ExitCode = Annotated[int, Field(ge=0, le=255)]


def _env(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {str(name): _text(each, f"the value of {name}") for name, each in value.items()}


_YAML_WORDS = {None: "null", True: "true", False: "false"}


def _text(value: Any, what: str) -> Any:
    """Take a number for its text, as compose does; a truth value has no one text."""
    if value is None or isinstance(value, bool):
        raise ValueError(f"{what} is {_YAML_WORDS[value]} to YAML; put it in quotes")
    return str(value) if isinstance(value, int | float) else value


class Ulimit(Group):
    """A resource limit of the pilot's processes; -1 means unlimited."""

    soft: int = Field(ge=-1, le=2**63 - 1)
    hard: int = Field(ge=-1, le=2**63 - 1)


class Profile(Group):
    """One kind of pilot: what to run, with which limits and rights."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")] = "default"
    """Name of the profile, part of the containers' names."""
    image: Annotated[str, AfterValidator(_reference)] = "busybox:latest"
    """Image reference: [registry[:port]/]name[:tag][@digest]. With Apptainer also the path of a
    SIF file or an unpacked folder, or a URL: docker://, oras://, library://."""
    command: Annotated[
        tuple[str, ...],
        BeforeValidator(_command),
        WithJsonSchema({"type": ["string", "array"], "items": {"type": ["string", "number"]}}),
    ] = ("/bin/sleep", "60")
    """What to run: a list, or a string split as a shell would. Empty: the image's own."""
    cpus: Cores = 1.0
    """Cores promised to each pilot: what room and shares count."""
    cpu_limit: Annotated[
        Literal["promised", "none"] | Cores,
        BeforeValidator(_cpu_limit),
        WithJsonSchema({"type": ["number", "string"], "examples": ["promised", "none", 4]}),
    ] = "promised"
    """Most cores that each pilot may use: promised (its cpus), none (no limit), or a number of
    cores. Beyond its cpus it gets only cores that are idle, and only in the idle class."""
    memory: Annotated[Size, Field(ge=6 * 2**20)] = 2_000_000_000
    """Memory limit of each pilot."""
    swap: Annotated[Size, Field(ge=0)] = 0
    """Swap each pilot may use beside its memory."""
    disk: Annotated[Size, Field(ge=0), BeforeValidator(zero_if_off)] = 10_000_000_000
    """Most disk each pilot may write, in its container and its volumes. 0 or off: no bound."""
    ttl: Annotated[Duration, Field(gt=0)] = 43200.0
    """Time to live from the container's start; then SIGTERM."""
    grace: Annotated[Duration, Field(ge=0, le=86400)] = 10.0
    """Time between SIGTERM and SIGKILL."""
    share: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Weight of this profile when several want the same room. Shares hold over about an hour."""
    maximum: Expression | None = None
    """Most pilots of this profile: a number or an expression; empty: only spawn.maximum."""
    short_life: Annotated[Duration, Field(ge=0)] | None = None
    """As spawn.short_life, for this profile."""
    backoff: Annotated[Duration, Field(gt=0)] | None = None
    """As spawn.backoff, for this profile."""
    no_work: tuple[ExitCode, ...] = (80,)
    """Exit codes that mean: there is no work. The profile waits for spawn.no_work_wait."""
    broken_node: tuple[ExitCode, ...] = (81,)
    """Exit codes that mean: this node cannot do the work. Waits for spawn.broken_wait."""
    outdated_image: tuple[ExitCode, ...] = (82,)
    """Exit codes that mean: the image is too old. It is pulled, and a new one is waited for."""
    features: bool = True
    """Give the pilot its machine/job features: what it may use, and until when."""
    user: Annotated[str, BeforeValidator(lambda value: _text(value, "the user"))] = "65534:65534"
    """User and group inside the container, uid[:gid] or names."""
    env: Annotated[dict[str, str], BeforeValidator(_env)] = {}
    """Environment variables. Their values are never shown."""
    network: str = "bridge"
    """Docker network mode: bridge, host, none or the name of a network."""
    binds: tuple[str, ...] = ()
    """Bind mounts, host:container[:options]; read-only unless the options say rw. What is
    bound must exist on the node, and is never made."""
    tmpfs: dict[str, str] = {}
    """Temporary file systems: path: mount options."""
    devices: tuple[str, ...] = ()
    """Devices, host[:container[:rwm]]."""
    cap_add: tuple[str, ...] = ()
    """Capabilities added."""
    cap_drop: tuple[str, ...] = ("ALL",)
    """Capabilities dropped."""
    security_opt: tuple[str, ...] = ("no-new-privileges",)
    """Security options: AppArmor and seccomp profiles, labels."""
    privileged: bool = False
    """All rights on the host. Say no."""
    pids: Annotated[int, Field(ge=-1, le=4_194_304)] = 1024
    """Most processes and threads in a pilot; -1: no limit."""
    ulimits: dict[str, Ulimit] = {}
    """Resource limits by name, for example nofile: {soft: 1024, hard: 4096}."""
    read_only: bool = False
    """Mount the container's root read-only."""
    init: bool = True
    """Run a tiny init as PID 1, so that signals work and zombies are reaped."""
    log_size: Annotated[Size, Field(ge=1024)] = 10_000_000
    """Most disk a pilot's own log may take."""

    _bind_folders: tuple[str, ...] | None = PrivateAttr(None)

    @property
    def bind_folders(self) -> tuple[str, ...] | None:
        """``allow.binds``, within which a remote configuration's binds must stay; None: trusted."""
        return self._bind_folders

    @property
    def most_cores(self) -> float:
        """Cores that a pilot may use in the idle class; infinite: all."""
        match self.cpu_limit:
            case "promised":
                return self.cpus
            case "none":
                return math.inf
            case number:
                return number

    def bound_within(self, folders: tuple[str, ...]) -> Profile:
        """Return this profile as one of a remote configuration."""
        bounded = self.model_copy()
        bounded._bind_folders = folders
        return bounded

    @field_validator("cpu_limit")
    @classmethod
    def _check_cpu_limit(cls, limit: str | float, info: ValidationInfo) -> str | float:
        cpus = info.data.get("cpus", 0.0)
        if isinstance(limit, float) and limit < cpus:
            raise ValueError(f"is below cpus ({cpus:g}), which are promised")
        return limit

    @field_validator("binds")
    @classmethod
    def _check_binds(cls, binds: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for bind in binds:
            parts = bind.split(":")
            if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
                raise ValueError(f"{bind!r} is not host:container[:options]")
            if not parts[0].startswith("/") and not _VOLUME.fullmatch(parts[0]):
                raise ValueError(
                    f"{bind!r}: write an absolute path, or the name of a volume; "
                    "~ and relative paths are not expanded"
                )
            _keep_own_folder(bind, parts[1], info)
        return binds

    @field_validator("tmpfs")
    @classmethod
    def _check_tmpfs(cls, tmpfs: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for path in tmpfs:
            _keep_own_folder(path, path, info)
        return tmpfs


def _keep_own_folder(entry: str, target: str, info: ValidationInfo) -> None:
    """Raise ValueError where a mount would hide what Plancton itself mounts in the pilot."""
    place = posixpath.normpath(f"/{target.lstrip('/')}")
    if info.data.get("features", True) and (place + "/").startswith(OWN_FOLDER + "/"):
        raise ValueError(
            f"{entry!r}: {OWN_FOLDER} in a pilot is Plancton's own (machine/job features, hints); "
            "mount elsewhere, or say features: false"
        )
