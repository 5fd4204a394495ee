"""Docker's client, and its errors in words for people."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import requests
import urllib3
from docker.errors import InvalidConfigFile
from docker.utils.config import find_config_file

from plancton.engine.ports import RuntimeUnavailableError
from plancton.runtime.docker.api_version import (
    OLDEST,
    VersionChangedError,
    VersionsApartError,
    agreed_version,
    is_refusal,
)
from plancton.runtime.docker.engine_url import DEFAULT_URL, docker_url, other_sockets
from plancton.runtime.docker.ssh import BASE_URL, SCHEME, SshAdapter, SshError
from plancton.runtime.docker.tls import tls_of, tls_trouble
from plancton.runtime.http_session import HttpSession

__all__ = [
    "DockerClient",
    "NonsenseError",
    "api_error_text",
    "docker_url",
    "open_client",
    "translate_errors",
    "unavailable_text",
]

_LARGEST_ANSWER, _LARGEST_LINE = 32_000_000, 1_000_000
"""Bytes. A listing takes some thousand for each container, an event less."""
_NONSENSE = "it answered something that is no answer of Docker"
_STUMBLES = (LookupError, TypeError, ValueError, AttributeError, RecursionError, struct.error)
"""What docker-py raises where an answer is JSON of another kind than it expects, or none."""
_INFO = {"NCPU": int, "DockerRootDir": str, "CgroupDriver": str}
_RARER_INFO = {"CgroupVersion": str, "SecurityOptions": list}
"""What we go by. A guess instead would put pilots into the wrong cgroup."""


class NonsenseError(docker.errors.DockerException):
    """What came is no answer of Docker."""

    def __init__(self, why: str = _NONSENSE) -> None:
        """Say *why*."""
        super().__init__(why)


@contextmanager
def _nonsense_said() -> Iterator[None]:
    try:
        yield
    except _STUMBLES as error:
        raise NonsenseError from error


def _mapping(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise NonsenseError
    return answer


def _read_whole(response: requests.Response, seconds: float) -> bytes:
    """Return an answer's body, if it is of a size and comes in time."""
    parts, size, end = [], 0, time.monotonic() + seconds
    for part in response.iter_content(65536):
        parts.append(part)
        size += len(part)
        if size > _LARGEST_ANSWER:
            raise NonsenseError(f"its answer is larger than {_LARGEST_ANSWER:_} bytes")
        if time.monotonic() > end:
            raise requests.exceptions.ReadTimeout(f"timed out after {seconds:g} s")
    return b"".join(parts)


def _json_lines(response: requests.Response) -> Iterator[dict[str, Any]]:
    """Yield the objects of a stream, which has one a line."""
    rest = b""
    for part in response.iter_content(65536):
        *lines, rest = (rest + part).split(b"\n")
        for line in filter(bytes.strip, lines):
            yield _object(line)
        if len(rest) > _LARGEST_LINE:
            raise NonsenseError(f"a line of its answer is larger than {_LARGEST_LINE:_} bytes")
    if rest.strip():
        yield _object(rest)


def _is_of_docker(failure: requests.Response) -> bool:
    """Say whether an error has the form of all of Docker's: JSON with a message."""
    try:
        return isinstance(failure.json()["message"], str)
    except _STUMBLES:
        return False


def _object(line: bytes) -> dict[str, Any]:
    with _nonsense_said():
        return _mapping(json.loads(line))


class DockerClient(docker.APIClient, HttpSession):
    """The low-level client, counting its requests. One client belongs to one thread."""

    def __init__(self, url: str, *, timeout: float) -> None:
        """Connect and agree on the API version; raises docker's and requests' exceptions."""
        self.request_count = 0
        tls, ssh = tls_of(url), SshAdapter(url, timeout) if url.startswith(SCHEME) else None
        try:
            base_url = DEFAULT_URL if ssh else str(url)
            super().__init__(base_url=base_url, version=OLDEST, timeout=int(timeout), tls=tls)
        except (ValueError, TypeError, LookupError, AttributeError, InvalidConfigFile) as error:
            file = find_config_file()
            if file is None or isinstance(error, requests.exceptions.RequestException):
                raise
            raise RuntimeUnavailableError(
                f"{file!s} cannot be read as a configuration of Docker, which its clients read "
                "first: mend it, or move it away"
            ) from error
        if ssh:
            self.base_url = BASE_URL
            self.mount(f"{BASE_URL}/", ssh)
        try:
            self._version = self._agreed_version()
        except BaseException:
            self.close()
            raise

    def _agreed_version(self) -> str:
        try:
            return agreed_version(_mapping(self.version(api_version=False)))
        except docker.errors.APIError as error:
            raise NonsenseError(f"it answered {error.status_code}: {error.explanation}") from error
        except (ValueError, LookupError) as error:
            if isinstance(error, requests.exceptions.RequestException):
                raise
            raise NonsenseError("it does not say its API version") from error

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Count, then send. What is no stream is read whole, if it is of a size and in time."""
        self.request_count += 1
        # Named here, else a bundle of the environment would take the place of an engine's CA.
        known = {"verify": self.verify, **kwargs}
        response = super().request(*args, **{**known, "stream": True})
        if not (kwargs.get("stream") and response.ok):
            try:
                response._content = _read_whole(response, self.timeout)
                response._content_consumed = True  # type: ignore[attr-defined]  # not in the stubs
            except Exception:
                response.close()
                raise
        return response

    # An engine, or what stands between, may answer anything. What is no answer is said by
    # NonsenseError, so that nobody stumbles over it.

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself."""
        info = _mapping(super().info())
        needed = all(isinstance(info.get(key), kind) for key, kind in _INFO.items())
        rarer = all(isinstance(info.get(key) or kind(), kind) for key, kind in _RARER_INFO.items())
        if not (needed and rarer):
            raise NonsenseError
        return info

    def containers(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Return a listing."""
        listed = super().containers(*args, **kwargs)
        if not isinstance(listed, list):
            raise NonsenseError
        return listed

    def inspect_container(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return all of a container."""
        return _mapping(super().inspect_container(*args, **kwargs))

    def inspect_image(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return all of an image, its ID for certain."""
        image = _mapping(super().inspect_image(*args, **kwargs))  # type: ignore[no-untyped-call]
        if not isinstance(image.get("Id"), str):
            raise NonsenseError
        return image

    def logs(self, *args: Any, **kwargs: Any) -> Any:
        """Return, or stream, what a container wrote."""
        with _nonsense_said():
            return super().logs(*args, **kwargs)

    def _result(self, *args: Any, **kwargs: Any) -> Any:
        with _nonsense_said():
            return super()._result(*args, **kwargs)  # type: ignore[misc]  # not in the stubs

    def _raise_for_status(self, response: requests.Response) -> None:
        # A 404 of a web server does not mean that a container has gone.
        if not response.ok and not _is_of_docker(response):
            said = _one_line(response.text)[:80]
            raise NonsenseError(
                f"it answered {response.status_code}, and not in Docker's form: {said}"
            )
        if not response.ok and is_refusal(response.status_code, response.json()["message"]):
            raise VersionChangedError
        super()._raise_for_status(response)  # type: ignore[misc]  # not in the stubs

    def _stream_helper(self, response: Any, decode: bool = False) -> Iterator[Any]:
        self._raise_for_status(response)
        if decode:
            return _json_lines(response)
        return super()._stream_helper(response)  # type: ignore[misc,no-any-return]


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
    if said := _connection_trouble(url, error):
        return said
    if "Permission denied" in text:
        others = "".join(f", or set node.docker to {each}" for each in _others(url))
        return f"no permission to use Docker at {url}: run as root or join the group docker{others}"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in text.lower():
        return f"Docker at {url} accepts connections but does not answer: it is stalled"
    if "No such file" in text or "refused" in text:
        return f"Docker does not run at {url}: {_advice(url)}"
    return f"Docker at {url} gives no usable answer: {_one_line(text)}"


def _connection_trouble(url: str, error: Exception) -> str:
    """Say what an error of the versions, of ssh or of TLS means; empty: it is none of them."""
    if isinstance(error, VersionsApartError):
        return error.sentence(url)
    if url.startswith(SCHEME) and (ssh := _ssh_error(error)):
        return f"Docker at {url} cannot be reached: {ssh}"
    return tls_trouble(url, str(error))


def _ssh_error(error: BaseException | None) -> str:
    """Return what an ssh said, wherever it stands among the causes of an error."""
    while error is not None:
        for each in (error, *error.args):
            if isinstance(each, SshError):
                return str(each)
        error = error.__cause__ or error.__context__
    return ""


def _others(url: str) -> list[str]:
    return other_sockets() if url == DEFAULT_URL else []


def _advice(url: str) -> str:
    """Say what to do where nothing listens."""
    others = _others(url)
    if others:
        return f"there is {' and '.join(others)}; set node.docker to it, or start Docker"
    source = getattr(url, "source", "")
    if source and source != "node.docker":
        return f"start it, or correct {source}, which names it"
    return "start it (systemctl start docker) or set node.docker"


def api_error_text(error: docker.errors.APIError) -> str:
    """Return Docker's own words in one line."""
    return _one_line(str(error.explanation or error))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
