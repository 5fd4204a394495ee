"""The whole configuration: all groups, and rules for nodes that differ."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    WithJsonSchema,
    model_validator,
)

from plancton.config.schema.image import Image
from plancton.config.schema.monitor import Monitor
from plancton.config.schema.node import Node
from plancton.config.schema.pilots import Profile
from plancton.config.schema.protect import Protect
from plancton.config.schema.remote import Allow, Remote
from plancton.config.schema.spawn import Spawn
from plancton.config.schema.types import Group, Labels, plain_text


class Groups(Group):
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


class Rule(Group):
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
        BeforeValidator(plain_text),
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
