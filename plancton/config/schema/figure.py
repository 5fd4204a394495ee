"""A figure that is read from outside, and where from."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from plancton.config.schema.types import Duration, Group

_ADDRESS = re.compile(r"https?://(?:[^\s/@#?]*@)?[^\s/@#?]+(?:[/?][^\s#]*)?")


class Figure(Group):
    """A number that a command prints or a server answers, read at intervals."""

    name: Annotated[str, Field(pattern=r"^\w[\w ./%-]{0,39}$")]
    """What it is called: letters, digits, spaces and ./%-, at most 40."""
    command: tuple[str, ...] = ()
    """A program, by its absolute path, and its arguments. It prints the number. No shell."""
    http: str = ""
    """An address (http:// or https://) that answers with the number. Redirects are not followed."""
    json_path: str = ""
    """Where the number stands in an answer in JSON: keys and list indexes with dots between, like
    data.0.p99. Empty: the answer is the number."""
    prometheus: str = ""
    """A server of Prometheus, like http://127.0.0.1:9090."""
    query: str = ""
    """What to ask Prometheus; the answer must be one number."""
    token: str = ""
    """A token that is sent to the server (Authorization: Bearer)."""
    ca_file: str = ""
    """Certificates (PEM) that the server's is checked against; empty: the system's."""
    interval: Annotated[Duration, Field(ge=1, le=3600)] = 5.0
    """Time between two readings. After three intervals without one the figure is unknown."""
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 2.0
    """Longest time that one reading may take; a command is then killed."""

    @field_validator("command")
    @classmethod
    def _check_command(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if command and not command[0].startswith("/"):
            raise ValueError("must begin with the absolute path of a program")
        if any("\0" in word for word in command):
            raise ValueError("must not contain a zero byte")
        return command

    @field_validator("http", "prometheus")
    @classmethod
    def _check_address(cls, address: str) -> str:
        if address and not (_ADDRESS.fullmatch(address) and _has_good_port(address)):
            raise ValueError("must be http(s)://[user:password@]host[:port][/path]")
        return address

    @field_validator("json_path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if path and not all(path.split(".")):
            raise ValueError("must be keys with single dots between, like data.0.p99")
        return path

    @model_validator(mode="after")
    def _check_source(self) -> Figure:
        given = self.sources()
        if len(given) != 1:
            known = ", ".join(self.known_sources())
            found = f"; here are {' and '.join(given)}" if given else ""
            raise ValueError(f"must have exactly one of {known}{found}")
        if bool(self.query) != bool(self.prometheus):
            raise ValueError("prometheus and query go together")
        if self.json_path and not (self.http or self.command):
            raise ValueError("json_path goes with http or command")
        return self

    @property
    def host(self) -> str:
        """Host and port that are asked, like ``127.0.0.1:9090``; empty: none."""
        parts = urlsplit(self.http or self.prometheus)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{name}:{parts.port or (443 if parts.scheme == 'https' else 80)}" if name else ""

    def known_sources(self) -> tuple[str, ...]:
        """Return the keys of which one says where the figure comes from."""
        return ("command", "http", "prometheus")

    def sources(self) -> list[str]:
        """Return those of them that are set."""
        return [name for name in self.known_sources() if getattr(self, name)]


def _has_good_port(address: str) -> bool:
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False
