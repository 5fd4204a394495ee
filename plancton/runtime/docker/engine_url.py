"""Where the engine is: configured, in the environment, or in one of Docker's own contexts."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.atomic_file import read_regular

DEFAULT_URL = "unix:///var/run/docker.sock"
_LARGEST_FILE = 1_000_000
_NO_CONTEXT = "default"
"""What Docker's client calls having none."""
_NONE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a file raises that is none of Docker's."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files for TLS with an engine, in one folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Who signed the engine's certificate."""
        return self.folder / "ca.pem"

    @property
    def cert(self) -> Path:
        """Our certificate."""
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self.folder / "key.pem"


class EngineUrl(str):
    """An engine's URL, with what a connection needs beside it. It equals its text."""

    certificates: Certificates | None
    source: str
    """What named it, for people: a key, a variable, a context; empty: nothing did."""

    def __new__(cls, url: str, source: str = "", certs: str | Path = "") -> Self:
        """Hold *url*; *certs* is the folder of certificates, empty: no TLS."""
        made = super().__new__(cls, url)
        made.certificates = Certificates(_expanded(str(certs)).absolute()) if certs else None
        made.source = source
        return made


def docker_url(configured: str = "", certs: str = "") -> EngineUrl:
    """Return the engine's URL: *configured*, else of the environment, a context, the usual socket.

    *certs* is the folder of certificates that is configured. RuntimeUnavailableError if a context
    is named that cannot be used.
    """
    host, source = configured, "node.docker"
    if not host:
        host, source = os.environ.get("DOCKER_HOST", ""), "DOCKER_HOST"
    if host:
        return EngineUrl(host, source, certs or _environment_certs())
    folder = _docker_folder()
    name, source = _context_name(folder)
    if name:
        found = _context_url(folder / "contexts", name, source)
        return EngineUrl(found, found.source, certs) if certs else found
    return EngineUrl(DEFAULT_URL, "", certs)


def _environment_certs() -> str:
    """Return the folder of certificates that Docker's client would use; empty: no TLS."""
    certs = os.environ.get("DOCKER_CERT_PATH", "")
    if not certs and os.environ.get("DOCKER_TLS_VERIFY"):
        return str(_docker_folder())
    return certs


def _docker_folder() -> Path:
    return _expanded(os.environ.get("DOCKER_CONFIG") or "~/.docker")


def _expanded(path: str) -> Path:
    # Unlike Path's, this leaves a ~ that nobody knows.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _context_name(folder: Path) -> tuple[str, str]:
    """Return the chosen context and what chose it; empty: none is."""
    name, source = os.environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        name, source = _current_context(folder / "config.json"), f"{folder / 'config.json'}"
    return ("", "") if name == _NO_CONTEXT else (name, source)


def _current_context(config: Path) -> str:
    try:
        name = json.loads(read_regular(config, _LARGEST_FILE)).get("currentContext")
    except (OSError, *_NONE):
        return ""  # the client reads it too, and says so
    return name if isinstance(name, str) else ""


def _context_url(contexts: Path, name: str, source: str) -> EngineUrl:
    """Return what a context says, as ``docker context create`` writes it."""
    id_ = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    file = contexts / "meta" / id_ / "meta.json"
    try:
        meta: dict[str, Any] = json.loads(read_regular(file, _LARGEST_FILE))
        endpoint = meta["Endpoints"]["docker"]
        host, unverified = endpoint.get("Host") or DEFAULT_URL, endpoint.get("SkipTLSVerify")
        if not isinstance(host, str):
            raise TypeError
    except FileNotFoundError:
        raise RuntimeUnavailableError(
            f"there is no Docker context {name}, which {source} names (no {file}): "
            "see docker context ls, or set node.docker"
        ) from None
    except OSError as error:
        raise RuntimeUnavailableError(
            f"the Docker context {name}, which {source} names, cannot be read: "
            f"{file}: {error.strerror or error}"
        ) from None
    except _NONE:
        raise RuntimeUnavailableError(
            f"the Docker context {name}, which {source} names, cannot be read: "
            f"{file} is not a context's file"
        ) from None
    certs = contexts / "tls" / id_ / "docker"
    uses_tls = certs.is_dir() and any(certs.iterdir())
    if unverified and host.startswith("tcp://") and uses_tls:
        raise RuntimeUnavailableError(
            f"the Docker context {name}, which {source} names, skips the verification of {host} "
            f"(skip-tls-verify), which Plancton never does: set node.docker and node.docker_certs"
        )
    return EngineUrl(host, f"the Docker context {name}", certs if uses_tls else "")


def other_sockets() -> list[str]:
    """Return the URLs of sockets of engines that are there beside the usual one."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    places = (
        Path(runtime, "docker.sock"),
        Path(runtime, "podman/podman.sock"),
        Path("/run/podman/podman.sock"),
        _expanded("~/.docker/run/docker.sock"),
        _expanded("~/.docker/desktop/docker.sock"),
    )
    return [f"unix://{place}" for place in places if _is_socket(place)]


def _is_socket(place: Path) -> bool:
    try:
        return stat.S_ISSOCK(place.stat().st_mode)
    except OSError:
        return False
