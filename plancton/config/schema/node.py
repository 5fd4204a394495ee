"""The group ``node``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
)

from plancton.config.schema.types import Duration, Group, Labels


class Node(Group):
    """The machine, the engine on it, and its loop."""

    name: str = ""
    """Host name shown and reported; empty: the machine's fully qualified name."""
    instance: Annotated[str, Field(pattern=r"^[a-z0-9]{0,32}$")] = ""
    """Which containers are ours, by label. Empty: "root", or "u" and the user's number.
    Two engines on one Docker Engine need two. Needs a restart."""
    labels: Labels = {}
    """What rules may ask for: a list of names, or names with values. Only the local file may
    say this."""
    engine: Literal["auto", "docker", "podman", "apptainer"] = "auto"
    """What runs the pilots: docker, podman (by its socket) or apptainer (without a daemon). auto:
    Docker if node.docker or $DOCKER_HOST names one or its socket is there, else Podman, else
    Apptainer. Only the local file may say this. Needs a restart."""
    docker: str = ""
    """URL of the Docker Engine (unix://, tcp://, ssh://); empty: $DOCKER_HOST, $DOCKER_CONTEXT,
    the current context of ~/.docker, or its usual socket. Needs a restart."""
    docker_certs: str = ""
    """Folder of ca.pem, cert.pem and key.pem for TLS with an engine at tcp://; empty:
    $DOCKER_CERT_PATH, or ~/.docker where $DOCKER_TLS_VERIFY is set. Needs a restart."""
    interval: Annotated[Duration, Field(ge=0.2, le=3600)] = 5.0
    """Longest time between two ticks. Exits of pilots and commands are acted on at once."""
    drain: bool = False
    """Start no new pilots; those running go on to their end. The operator's drain is another:
    resume does not take this one back, and this one not that."""
    on_stop: Literal["leave", "drain", "kill"] = "leave"
    """What SIGTERM to Plancton, or a closed terminal of a screen that hosts it, means for its
    pilots: leave them running and adopt them at the next start, wait until they have ended, or
    end them."""
