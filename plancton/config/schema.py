"""The configuration: one frozen model that parses, checks and documents itself.

Durations are seconds and sizes bytes once read; in files both may carry units.
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from plancton.config.calendar import Lending
from plancton.config.expressions import Expression
from plancton.config.units import parse_duration, parse_level, parse_size

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["number", "string"], "examples": ["90s", "12h", "1d"]}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": ["integer", "string"], "examples": ["512MiB", "2GB"]}),
]

Level = Annotated[
    str,
    BeforeValidator(parse_level),
    WithJsonSchema({"type": ["integer", "string"], "examples": ["5%", "2GB", "off"]}),
]


def _none_if_off(value: Any) -> Any:
    return None if value is False or value == "off" else value


def _off(value: Any) -> Any:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


Step = Annotated[Literal["off", "stop", "freeze", "evict"], BeforeValidator(_off)]
Percent = Annotated[
    Annotated[float, Field(gt=0, le=100)] | None,
    BeforeValidator(_none_if_off),
    WithJsonSchema({"type": ["number", "string"], "examples": [20, "off"]}),
]

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
# The grammar of image references, after the distribution project's reference package.
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError("not an image reference: [registry[:port]/]name[:tag][@digest]")
    return value


def _labels(value: Any) -> Any:
    """Take a list of names, or names with values of any plain kind."""
    if isinstance(value, list):
        return dict.fromkeys(map(str, value), "")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Labels = Annotated[
    dict[str, str],
    BeforeValidator(_labels),
    WithJsonSchema(
        {
            "type": ["array", "object"],
            "items": {"type": "string"},
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "examples": [["gpu"], {"rack": "r12"}],
        }
    ),
]


def _command(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        defer_build=True,  # verbs that only look need no validator
    )


class Ulimit(_Model):
    """A resource limit of the pilot's processes; -1 means unlimited."""

    soft: int = Field(ge=-1)
    hard: int = Field(ge=-1)


class Node(_Model):
    """The machine, the engine on it, and its loop."""

    name: str = ""
    """Host name shown and reported; empty: the machine's fully qualified name."""
    instance: Annotated[str, Field(pattern=r"^[a-z0-9]{0,32}$")] = ""
    """Which containers are ours, by label. Empty: "root", or "u" and the user's number.
    Two engines on one Docker Engine need two. Needs a restart."""
    labels: Labels = {}
    """What rules may ask for: a list of names, or names with values. Only the local file may
    say this."""
    docker: str = ""
    """URL of the Docker Engine; empty: $DOCKER_HOST, or its usual socket. Needs a restart."""
    interval: Annotated[Duration, Field(ge=0.2, le=3600)] = 5.0
    """Longest time between two ticks. Exits of pilots and commands are acted on at once."""
    drain: bool = False
    """Start no new pilots; those running go on to their end. The operator's drain is another:
    resume does not take this one back, and this one not that."""
    on_stop: Literal["leave", "drain", "kill"] = "leave"
    """What SIGTERM to Plancton, or a closed terminal of a screen that hosts it, means for its
    pilots: leave them running and adopt them at the next start, wait until they have ended, or
    end them."""


class Profile(_Model):
    """One kind of pilot: what to run, with which limits and rights."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")] = "default"
    """Name of the profile, part of the containers' names."""
    image: Annotated[str, AfterValidator(_reference)] = "busybox:latest"
    """Image reference: [registry[:port]/]name[:tag][@digest]."""
    command: Annotated[
        tuple[str, ...],
        BeforeValidator(_command),
        WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
    ] = ("/bin/sleep", "60")
    """What to run: a list, or a string split as a shell would. Empty: the image's own."""
    cpus: Annotated[float, Field(ge=0.01, le=4096)] = 1.0
    """Cores promised to each pilot, and its CPU quota."""
    memory: Annotated[Size, Field(ge=6 * 2**20)] = 2_000_000_000
    """Memory limit of each pilot."""
    swap: Annotated[Size, Field(ge=0)] = 0
    """Swap each pilot may use beside its memory."""
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
    no_work: tuple[int, ...] = (80,)
    """Exit codes that mean: there is no work. The profile waits for spawn.no_work_wait."""
    broken_node: tuple[int, ...] = (81,)
    """Exit codes that mean: this node cannot do the work. Waits for spawn.broken_wait."""
    outdated_image: tuple[int, ...] = (82,)
    """Exit codes that mean: the image is too old. It is pulled, and a new one is waited for."""
    features: bool = True
    """Give the pilot its machine/job features: what it may use, and until when."""
    user: str = "65534:65534"
    """User and group inside the container, uid[:gid] or names."""
    env: dict[str, str] = {}
    """Environment variables. Their values are never shown."""
    network: str = "bridge"
    """Docker network mode: bridge, host, none or the name of a network."""
    binds: tuple[str, ...] = ()
    """Bind mounts, host:container[:options]; read-only unless the options say rw."""
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
    pids: Annotated[int, Field(ge=-1)] = 1024
    """Most processes and threads in a pilot; -1: no limit."""
    ulimits: dict[str, Ulimit] = {}
    """Resource limits by name, for example nofile: {soft: 1024, hard: 4096}."""
    read_only: bool = False
    """Mount the container's root read-only."""
    init: bool = True
    """Run a tiny init as PID 1, so that signals work and zombies are reaped."""
    log_size: Annotated[Size, Field(ge=1024)] = 10_000_000
    """Most disk a pilot's own log may take."""

    @field_validator("binds")
    @classmethod
    def _check_binds(cls, binds: tuple[str, ...]) -> tuple[str, ...]:
        for bind in binds:
            parts = bind.split(":")
            if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
                raise ValueError(f"{bind!r} is not host:container[:options]")
        return binds


class Spawn(_Model):
    """When new pilots are started."""

    maximum: Expression = Expression("ncpus")
    """Most pilots at a time: a number or an expression, see the list of names."""
    when: Expression = Expression(1)
    """Pilots are started only while this is not 0, for example foreground_5m < ncpus / 2."""
    per_tick: Annotated[int, Field(ge=1, le=1000)] = 4
    """Most pilots started in one tick."""
    ceiling: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the node's cores that foreground and pilots may take together."""
    reserve: Annotated[float, Field(ge=0)] = 0.0
    """Cores always kept free."""
    min_room: Annotated[float, Field(ge=0.3, le=1)] = 0.5
    """Part of a pilot's cores that must be free before it is started. Below 1 the last,
    partly free core is harvested too: the idle class protects the foreground meanwhile."""
    memory_promise: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Part of a pilot's memory limit that must be there before it is started, and is then set
    aside for it. 0: limits are not counted, only what is really free."""
    short_life: Annotated[Duration, Field(ge=0)] = 5.0
    """A pilot that ends by itself sooner than this has failed, and its profile backs off."""
    backoff: Annotated[Duration, Field(gt=0)] = 5.0
    """First wait after a failure; it doubles with each further one."""
    backoff_max: Annotated[Duration, Field(gt=0)] = 900.0
    """Longest such wait."""
    no_work_wait: Annotated[Duration, Field(gt=0)] = 60.0
    """First wait after a pilot said that there is no work; it doubles up to backoff_max. One
    pilot then tries, and others follow when it has lived as long."""
    broken_wait: Annotated[Duration, Field(gt=0)] = 3600.0
    """Wait after a pilot said that this node cannot do its work."""


class Memory(_Model):
    """Available memory of the node."""

    stop_below: Level = "10%"
    """No pilot is started that would leave less than this: a share of all, a size, or off."""
    evict_below: Level = "4%"
    """Pilots are ended, one at a time, while less than this is available."""
    after: Annotated[Duration, Field(ge=0)] = 5.0
    """How long that must last before each of them."""
    recover: Annotated[Duration, Field(ge=0)] = 30.0
    """How long it must be over before pilots are started again."""


class Disk(_Model):
    """Free space on the file system of Docker's data root."""

    stop_below: Level = "2GB"
    """No pilot is started with less than this: a share of all, a size, or off."""
    recover: Annotated[Duration, Field(ge=0)] = 30.0
    """How long it must be over before pilots are started again."""


class Stall(_Model):
    """Per cent of the last 10 s in which some task waited for a resource. Off unless set."""

    stop_above: Percent = None
    """No pilot is started above this."""
    freeze_above: Percent = None
    """One pilot is frozen above this, and one more each time it lasts anew."""
    evict_above: Percent = None
    """One pilot is ended above this, and one more each time it lasts anew."""
    after: Annotated[Duration, Field(ge=0)] = 20.0
    """How long it must last before a pilot is frozen or ended."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be over before pilots are thawed or started."""


class Stalls(_Model):
    """Pressure stall information, where the kernel has it."""

    cpu: Stall = Stall()
    """Waiting for a core. Pilots in the idle class wait too, and are counted by the kernel."""
    memory: Stall = Stall()
    """Waiting for memory. A pilot at its own limit counts too."""
    io: Stall = Stall()
    """Waiting for disks."""


class Load(_Model):
    """The load average over a minute, pilots included. Off unless set."""

    stop_above: Annotated[Expression | None, BeforeValidator(_none_if_off)] = None
    """No pilot is started above this: a number or an expression, for example 2 * ncpus."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be over before pilots are started again."""


class User(_Model):
    """Somebody who sits at the machine."""

    presence: Annotated[Literal["off", "logged-in", "active"], BeforeValidator(_off)] = "off"
    """Who counts: anybody logged in, or whoever touched a terminal within idle_after."""
    idle_after: Annotated[Duration, Field(gt=0)] = 900.0
    """How long after the last key stroke a user still counts as active."""
    step: Step = "freeze"
    """What is done while somebody is there: stop starting pilots, freeze them all, or end them."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long nobody must be there before pilots go on."""


class Battery(_Model):
    """A machine that runs on its battery."""

    step: Step = "stop"
    """What is done meanwhile: stop starting pilots, freeze them all, end them, or off."""
    recover: Annotated[Duration, Field(ge=0)] = 60.0
    """How long it must be back on the mains before pilots go on."""


class Calendar(_Model):
    """When the machine is lent."""

    lend: Lending = Lending()
    """Times of the week, by the machine's clock: "18:00-08:00", "Sat,Sun", "Mon-Fri 19:00-07:00".
    Empty: always."""
    step: Step = "stop"
    """What is done outside of them: stop starting pilots, freeze them all, or end them."""


class Protect(_Model):
    """When pilots give way to the foreground. Each signal stops new pilots, freezes or ends."""

    freeze: bool = True
    """Freeze pilots before they are ended; false: for pilots that cannot bear it."""
    freeze_after: Annotated[Duration, Field(ge=0)] = 120.0
    """How long the CPU must be overcommitted before the youngest pilots are frozen."""
    freeze_after_unprotected: Annotated[Duration, Field(ge=0)] = 1.0
    """The same where the idle class does not protect the foreground meanwhile."""
    thaw_after: Annotated[Duration, Field(ge=0)] = 2.0
    """How long there must be room again before frozen pilots go on, the oldest first."""
    evict_after: Annotated[Duration, Field(ge=0)] = 600.0
    """How long a pilot stays frozen before it is ended."""
    hold_after_eviction: Annotated[Duration, Field(ge=0)] = 60.0
    """How long nothing is started after an eviction."""
    evict_room: Annotated[float, Field(ge=0.71, le=10)] = 0.75
    """Overcommitted means: the room is below minus this part of the youngest pilot's cores.
    With min_room it spans more than one pilot, so starting and evicting never take turns."""
    victim: Literal["youngest", "least-lost"] = "youngest"
    """Who goes first: the youngest pilot, or the one whose work since its start or its last
    checkpoint is least. One that has checkpointed within the last minute comes before both."""
    memory: Memory = Memory()
    disk: Disk = Disk()
    stall: Stalls = Stalls()
    load: Load = Load()
    user: User = User()
    battery: Battery = Battery()
    calendar: Calendar = Calendar()
    oom_score_adj: Annotated[int, Field(ge=-1000, le=1000)] = 1000
    """Pilots' place in the queue of the host's out-of-memory killer; 1000 is first."""


class Image(_Model):
    """How images are kept fresh."""

    refresh: Annotated[Duration, Field(ge=1)] = 43200.0
    """Time between two pulls of each image, give or take a tenth, so that nodes do not pull all
    at once. New pilots use the newest, running ones stay."""
    pull: bool = True
    """Pull images at all; false: only what is on the node is used."""
    canary: bool = False
    """Let one pilot try each new image first; the others stay with the last good one until it
    has lived for canary_life."""
    canary_life: Annotated[Duration, Field(gt=0)] = 600.0
    """How long the first pilot of a new image must live, unless it ends well before."""
    docker_config: str = ""
    """Folder of Docker's config.json with registry credentials; empty: $DOCKER_CONFIG or
    ~/.docker. Needs a restart."""


class Remote(_Model):
    """Where the rest of the configuration comes from. Only the local file may say this."""

    url: str = ""
    """Empty: from nowhere. An HTTPS address of a file, or a git repository: git+https://,
    git+ssh:// or git+file:// and its address, with #branch at the end if it is not the default."""
    path: str = "config.yaml"
    """The file inside a git repository."""
    interval: Annotated[Duration, Field(ge=1)] = 300.0
    """Time between two looks, give or take a tenth, so that nodes do not ask all at once."""
    timeout: Annotated[Duration, Field(ge=1, le=600)] = 30.0
    """Longest time one look may take in all."""
    ca_file: str = ""
    """Certificates (PEM) that the server's is checked against; empty: the system's."""
    allow_http: bool = False
    """Accept http://, where anybody on the way may put in a configuration of his own."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if url and not re.match(r"(?:https?|git\+(?:https?|ssh|file))://[^\s]+$", url):
            raise ValueError("must begin with https://, git+https://, git+ssh:// or git+file://")
        return url

    @model_validator(mode="after")
    def _check_http(self) -> Remote:
        if re.match(r"(?:git\+)?http://", self.url) and not self.allow_http:
            raise ValueError("http:// is not safe; use https://, or say allow_http: true")
        return self


_TARGET = r"(?:https?|insecure_https)://(?:[^\s/@#]*@)?[^\s/@#:]+(?::[0-9]+)?(?:/[^\s#]*)?"


def _from_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class InfluxTarget(_Model):
    """A database of InfluxDB, or of what takes its line protocol."""

    url: str
    """https://[user:password@]host:port#database. http:// is not encrypted; insecure_https://
    checks no certificate."""
    token: str = ""
    """A token instead of user and password (InfluxDB 2 and 3)."""
    ca_file: str = ""
    """Certificates (PEM) that the server's is checked against; empty: the system's."""
    create: bool = True
    """Create the database if it is not there. Users who may not are let alone."""
    retention_policy: str = ""
    """Where points go; empty: the database's default."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not re.fullmatch(_TARGET + r"#[^\s#]+", url):
            raise ValueError(
                "must be http(s) or insecure_https://[user:password@]host:port#database"
            )
        return url


class ElasticTarget(_Model):
    """A cluster of Elasticsearch or OpenSearch."""

    url: str
    """https://[user:password@]host:port. http:// is not encrypted; insecure_https:// checks no
    certificate."""
    api_key: str = ""
    """An API key (the encoded form) instead of user and password."""
    ca_file: str = ""
    """Certificates (PEM) that the server's is checked against; empty: the system's."""
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,99}$")] = "plancton"
    """Names begin with it: PREFIX-node, PREFIX-ends and PREFIX-decisions."""
    dated: bool = False
    """Write to an index a day (PREFIX-node-2026.11.25) instead of data streams."""
    template: bool = True
    """Install the mapping template PREFIX. Users who may not are let alone."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        if not re.fullmatch(_TARGET, url):
            raise ValueError("must be http(s) or insecure_https://[user:password@]host:port")
        return url


class Monitor(_Model):
    """Where metrics go. Pilots are run the same while a database is away."""

    interval: Annotated[Duration, Field(ge=1, le=3600)] = 30.0
    """Time between two reports of the node."""
    influxdb: tuple[Annotated[InfluxTarget, BeforeValidator(_from_url)], ...] = ()
    """Databases, each an URL or a mapping."""
    elasticsearch: tuple[Annotated[ElasticTarget, BeforeValidator(_from_url)], ...] = ()
    """Clusters, each an URL or a mapping."""
    prometheus: Annotated[str, Field(pattern=r"^(?:\[[0-9a-fA-F:]+\]|[^\s:]+):[0-9]{1,5}$|^$")] = ""
    """Address and port where /metrics is served to whoever asks, for example 127.0.0.1:9273.
    Empty: only the control socket serves it."""
    buffer: Annotated[int, Field(ge=100, le=10_000_000)] = 20_000
    """Most points (or documents) kept for each target while it is away; then the oldest go."""
    keep_on_disk: bool = False
    """Keep them in the state directory as well, over restarts."""
    require_at_start: bool = False
    """Refuse to start while a target cannot be written to."""


class Allow(_Model):
    """What a remote configuration may ask for. Only the local file may say this.

    A remote configuration that asks for more is refused as a whole, and nothing changes.
    """

    privileged: bool = False
    """Privileged pilots."""
    root: bool = True
    """Pilots whose user is root inside the container."""
    capabilities: tuple[str, ...] = ()
    """Capabilities beyond Docker's own default set."""
    binds: tuple[str, ...] = ()
    """Folders of the node that may be bound, with all below them; add :ro for read-only alone."""
    devices: tuple[str, ...] = ()
    """Devices of the node, or folders of them."""
    images: tuple[str, ...] = ("*",)
    """Images: patterns of their references, like registry.example/lab/*."""
    networks: tuple[str, ...] = ("bridge", "none")
    """Network modes."""
    security_opt: tuple[str, ...] = ("no-new-privileges",)
    """Security options."""
    memory: Annotated[Size, Field(ge=6 * 2**20)] | None = None
    """Most memory and swap of one pilot; empty: what fits."""


class Groups(_Model):
    """What both the local and a remote configuration say, and what rules may set."""

    node: Node = Node()
    pilots: tuple[Profile, ...] = (Profile(),)
    """The profiles, one or more."""
    spawn: Spawn = Spawn()
    protect: Protect = Protect()
    image: Image = Image()
    monitor: Monitor = Monitor()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if not self.pilots:
            raise ValueError("pilots: at least one profile is needed")
        names = [profile.name for profile in self.pilots]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two profiles are called {twice[0]!r}; names must differ")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _cores(value: str) -> str:
    if not re.fullmatch(r"(?:(?:^|,)\s*(?:[<>]=?)?\s*[0-9]+\s*)*", value):
        raise ValueError('must be a number of cores, or like ">= 16" or ">= 8, < 32"')
    return value


class Rule(_Model):
    """What is different on some nodes. Of several rules that hold the later wins.

    All its conditions must hold; without any it holds everywhere.
    """

    host: Annotated[
        tuple[str, ...],
        BeforeValidator(_listed),
        WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
    ] = ()
    """Host names, patterns like gpu*.example: the node's name, or its part before the first dot,
    fits one of them."""
    labels: Labels = {}
    """The node has each of these labels (node.labels), and its value fits the pattern, if any."""
    cores: Annotated[
        str,
        BeforeValidator(_plain),
        AfterValidator(_cores),
        WithJsonSchema({"type": ["string", "integer"], "examples": [">= 16", ">= 8, < 32"]}),
    ] = ""
    """Cores of the node: ">= 16", ">= 8, < 32", or a number."""
    set: Groups
    """What it sets, in groups as above, key by key; lists are replaced whole."""


class Config(Groups):
    """The whole configuration of a node."""

    remote: Remote = Remote()
    allow: Allow = Allow()
    match: tuple[Rule, ...] = ()
    """Rules for nodes that differ."""
