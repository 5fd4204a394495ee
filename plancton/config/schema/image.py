"""The group ``image``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
)

from plancton.config.schema.types import Duration, Group


class Image(Group):
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
    keep: Annotated[int, Field(ge=0, le=1000)] | Literal["all"] = 0
    """How many superseded images of each reference stay on the node beside the present one; all:
    Plancton removes no image. It never removes one that it did not bring, or that is in use."""
    docker_config: str = ""
    """Folder of Docker's config.json with registry credentials and the proxies that pilots get;
    empty: $DOCKER_CONFIG or ~/.docker. Needs a restart."""
