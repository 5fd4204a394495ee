"""Docker's client, and its errors in words for people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.errors import InvalidConfigFile
from docker.utils import kwargs_from_env
from docker.utils.config import find_config_file

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.http_session import HttpSession

DEFAULT_URL = "unix:///var/run/docker.sock"


def docker_url(configured: str = "") -> str:
    """Return the engine's URL: as configured, else $DOCKER_HOST, else its usual socket."""
    return configured or os.environ.get("DOCKER_HOST") or DEFAULT_URL


_NONSENSE = "it answered something that is no answer of Docker"


def _mapping(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise docker.errors.DockerException(_NONSENSE)
    return answer


class DockerClient(docker.APIClient, HttpSession):
    """The low-level client, counting its requests. One client belongs to one thread."""

    def __init__(self, url: str, *, timeout: float) -> None:
        """Connect and agree on the API version; raises docker's and requests' exceptions."""
        self.request_count = 0
        tls = kwargs_from_env().get("tls", False) if url == os.environ.get("DOCKER_HOST") else False
        try:
            super().__init__(base_url=url, version="auto", timeout=int(timeout), tls=tls)
        except (ValueError, TypeError, LookupError, AttributeError, InvalidConfigFile) as error:
            file = find_config_file()
            if file is None or isinstance(error, requests.exceptions.RequestException):
                raise
            raise RuntimeUnavailableError(
                f"{file!s} cannot be read as a configuration of Docker, which its clients read "
                "first: mend it, or move it away"
            ) from error

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Count, then send."""
        self.request_count += 1
        return super().request(*args, **kwargs)

    # An engine, or what stands between, may answer anything. What is no answer is said by
    # DockerException, so that nobody stumbles over it.

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself."""
        return _mapping(super().info())

    def containers(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return a listing."""
        listed = super().containers(*args, **kwargs)
        if not isinstance(listed, list):
            raise docker.errors.DockerException(_NONSENSE)
        return listed

    def inspect_container(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return all of a container."""
        return _mapping(super().inspect_container(*args, **kwargs))

    def inspect_image(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return all of an image."""
        return _mapping(super().inspect_image(*args, **kwargs))  # type: ignore[no-untyped-call]

    def _result(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._result(*args, **kwargs)  # type: ignore[misc]  # not in the stubs
        except (ValueError, RecursionError) as error:
            raise docker.errors.DockerException(_NONSENSE) from error

    def _raise_for_status(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._raise_for_status(*args, **kwargs)  # type: ignore[misc]  # not in the stubs
        except (LookupError, TypeError, AttributeError, RecursionError) as error:
            raise docker.errors.DockerException(_NONSENSE) from error


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Turn whatever means "no usable answer" into RuntimeUnavailableError with a sentence."""
    try:
        yield
    except docker.errors.APIError:
        raise  # an answer: the caller knows what was asked
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
    ) as error:
        raise RuntimeUnavailableError(unavailable_text(url, error)) from error


@contextmanager
def open_client(url: str, *, timeout: float) -> Iterator[DockerClient]:
    """Yield a client and close it; errors as ``translate_errors`` has them."""
    with translate_errors(url):
        client = DockerClient(url, timeout=timeout)
        try:
            yield client
        finally:
            client.close()


def unavailable_text(url: str, error: Exception) -> str:
    """Say why Docker at *url* cannot be used, and what to do."""
    text = str(error)
    if "Permission denied" in text:
        return f"no permission to use Docker at {url}: run as root or join the group docker"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in text.lower():
        return f"Docker at {url} accepts connections but does not answer: it is stalled"
    if "No such file" in text or "refused" in text:
        return f"Docker does not run at {url}: start it (systemctl start docker) or set node.docker"
    if "version" in text.lower() and "API" in text:
        return f"Docker at {url} speaks no API version of ours: {_one_line(text)}"
    return f"Docker at {url} gives no usable answer: {_one_line(text)}"


def api_error_text(error: docker.errors.APIError) -> str:
    """Return Docker's own words in one line."""
    return _one_line(str(error.explanation or error))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
