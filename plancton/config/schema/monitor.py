"""The group ``monitor``: where metrics go."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
)

from plancton.config.schema.types import Duration, Group

_TARGET = r"(?:https?|insecure_https)://(?:[^\s/@#]*@)?[^\s/@#:]+(?::[0-9]+)?(?:/[^\s#]*)?"


def _from_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class InfluxTarget(Group):
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


class ElasticTarget(Group):
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


class Monitor(Group):
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
