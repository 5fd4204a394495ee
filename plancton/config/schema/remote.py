"""The groups ``remote`` and ``allow``, which only the local file may have."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from plancton.config.schema.types import Duration, Group, Size


class Remote(Group):
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


class Allow(Group):
    """What a remote configuration may ask for. Only the local file may say this.

    A remote configuration that asks for more is refused as a whole, and nothing changes.
    """

    privileged: bool = False
    """Privileged pilots."""
    root: bool = True
    """Pilots whose user is root inside the container. If false, user and group must be numbers
    other than 0."""
    capabilities: tuple[str, ...] = ()
    """Capabilities beyond Docker's own default set."""
    binds: tuple[str, ...] = ()
    """Folders of the node that may be bound, with all below them; add :ro for read-only alone.
    No link leads out of them."""
    volumes: tuple[str, ...] = ()
    """Named volumes of Docker: patterns of their names."""
    devices: tuple[str, ...] = ()
    """Devices of the node, or folders of them."""
    images: tuple[str, ...] = ("*",)
    """Images: patterns of their references, like registry.example/lab/*. One without a registry,
    like lab/*, means Docker's own."""
    networks: tuple[str, ...] = ("bridge", "none")
    """Network modes."""
    security_opt: tuple[str, ...] = ("no-new-privileges",)
    """Security options."""
    memory: Annotated[Size, Field(ge=6 * 2**20)] | None = None
    """Most memory and swap of one pilot; empty: what fits."""
    disk: Annotated[Size, Field(ge=1)] | None = None
    """Most disk that one pilot may write; empty: what it asks for, as protect.disk ends the
    greediest pilot before the disk is full."""
    pids: Annotated[int, Field(ge=1, le=4_194_304)] = 32768
    """Most processes and threads of one pilot."""
    log_size: Annotated[Size, Field(ge=1024)] = 1_000_000_000
    """Most disk that the log of one pilot may take."""
    ulimits: tuple[str, ...] = ("core", "cpu", "fsize", "nofile", "nproc", "stack")
    """Resource limits that may be set."""
    commands: tuple[str, ...] = ()
    """Programs that protect.slo may run, by their absolute path, whatever their arguments."""
    hosts: tuple[str, ...] = ()
    """Servers that protect.slo may ask: patterns of host:port, like 127.0.0.1:9090."""
    listen: bool = False
    """Serve metrics (monitor.prometheus) on other addresses than the loopback."""
