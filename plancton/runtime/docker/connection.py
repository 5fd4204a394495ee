"""A connection to Docker that is made when first needed, and made anew after any failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import docker.errors
import requests

from plancton.engine.ports import ActionError, RuntimeUnavailableError
from plancton.runtime.docker.client import (
    DockerClient,
    api_error_text,
    open_client,
    translate_errors,
)

_T = TypeVar("_T")
_PATIENCE = 5.0
"""Seconds in which Docker has to answer whether it answers at all."""


class DockerConnection:
    """One client, replaced after any failure: an engine of another version may come back.

    One object belongs to one thread.
    """

    def __init__(self, url: str, timeout: float) -> None:
        """Connect to the engine at *url* when first needed; *timeout* seconds for each answer."""
        self.url, self.timeout = url, timeout
        self._client: DockerClient | None = None
        self._earlier_requests = 0

    @property
    def requests(self) -> int:
        """Requests made so far, over all connections."""
        return self._earlier_requests + (self._client.request_count if self._client else 0)

    def close(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._earlier_requests += self._client.request_count
            self._client.close()
            self._client = None

    def _learn(self, client: DockerClient) -> None:
        """Learn what there is to know of an engine just connected to."""

    @contextmanager
    def _connected(self) -> Iterator[DockerClient]:
        try:
            with translate_errors(self.url):
                if self._client is None:
                    self._client = DockerClient(self.url, timeout=self.timeout)
                    self._learn(self._client)
                yield self._client
        except RuntimeUnavailableError:
            self.close()
            raise

    @contextmanager
    def _about(self, container: str) -> Iterator[DockerClient]:
        """Connect for requests about one container.

        Docker may hang on one, because what it mounts does, and answer all else: an ActionError.
        """
        try:
            with self._connected() as client:
                yield client
        except RuntimeUnavailableError as error:
            if not isinstance(error.__cause__, requests.exceptions.ReadTimeout):
                raise
            with open_client(self.url, timeout=_PATIENCE):
                pass  # it answers, or is unavailable
            raise ActionError(
                f"Docker answers, but not about {container} within {self.timeout:g} s; "
                "a file system that it mounts may hang"
            ) from error


def if_needed(call: Callable[[], _T], fine: tuple[int, ...] = (), text: str = "") -> _T | None:
    """Do a call whose effect may be there already: gone (404), not running (409) are fine.

    So are the codes *fine*, and an answer of one line that contains what is *text*.
    """
    try:
        return call()
    except docker.errors.APIError as error:
        if error.status_code in (404, 409, *fine) or (text and text in api_error_text(error)):
            return None
        raise ActionError(api_error_text(error)) from error
