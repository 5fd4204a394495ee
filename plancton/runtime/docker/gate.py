"""Holds a container before its command, until it is let go.

Docker has no such state, so a shell takes the command's place: it waits for one line on its
standard input, the pilot's deadline, and then becomes the command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plancton.engine.model.spare import DEADLINE
from plancton.engine.ports import ActionError
from plancton.runtime.docker.client import DockerClient

_SCRIPT = f'read -r {DEADLINE} && exec "$@" </dev/null'


def held(body: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Docker is to be asked for instead of *body*, so that the command waits.

    *image* is Docker's inspection of the image. Raises ActionError where the command would not
    find what it finds otherwise.
    """
    config = image.get("Config")
    config = config if isinstance(config, Mapping) else {}
    command = [*(config.get("Entrypoint") or ()), *(body.get("Cmd") or config.get("Cmd") or ())]
    names = [str(each).partition("=")[0] for each in config.get("Env") or ()]
    odd = next((name for name in names if not name.isidentifier()), None)
    if odd is not None:
        raise ActionError(f"a shell drops the environment variable {odd} of the image")
    if not command:
        raise ActionError("neither the profile nor the image has a command")
    gate = {"Entrypoint": ["/bin/sh", "-c", _SCRIPT, "plancton"], "Cmd": command}
    return {**body, **gate, "OpenStdin": True}


def let_go(client: DockerClient, id_: str, deadline: float) -> None:
    """Let a held container become its command; *deadline* is the epoch's.

    Nobody reads what is said a second time. Raises docker's and requests' exceptions.
    """
    stream = client.attach_socket(id_, params={"stdin": 1, "stream": 1})
    try:
        getattr(stream, "_sock", stream).sendall(f"{deadline:.0f}\n".encode())
    finally:
        # The response holds the connection, which else would stay until it is collected.
        getattr(stream, "_response", stream).close()
