"""Images kept fresh on a thread of their own, so that no tick ever waits for a registry."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import docker.errors
from docker.utils import parse_repository_tag

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.node import ImageStatus
from plancton.engine.ports import Clock, RuntimeUnavailableError
from plancton.runtime.docker.client import Client, api_text, talking

log = logging.getLogger("plancton")

_FIRST_RETRY, _LONGEST_RETRY = 30.0, 900.0
_PULL_TIMEOUT = 600.0
_SPREAD, _JITTER = 60.0, 0.1
"""Seconds over which first pulls of images that are here, and part by which all later ones, are
spread: nodes that were switched on together shall not ask a registry together."""


class PullError(Exception):
    """The image could not be pulled. Says why."""


class ImageKeeper:
    """Implements ``ports.Images``. ``step`` does one round of work, ``run`` waits between."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        docker_config: str = "",
    ) -> None:
        """Keep images of the engine at *url*."""
        self.url, self.clock = url, clock
        self.on_change: Callable[[], None] = lambda: None
        """Called after each change of the status."""
        self.docker_config = docker_config or None
        self._wanted: frozenset[str] = frozenset()
        self._refresh, self._pull = 43200.0, True
        self._status: Mapping[str, ImageStatus] = {}
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._wake, self._over = threading.Event(), False

    def configure(self, references: frozenset[str], refresh: float, *, pull: bool) -> None:
        """Say which images are needed; a shorter *refresh* applies from the next pull on."""
        changed = (references, pull) != (self._wanted, self._pull)
        self._wanted, self._refresh, self._pull = references, refresh, pull
        if changed:
            self._wake.set()

    def missing(self, reference: str) -> None:
        """Have an image that has gone from the node looked for at once."""
        self._due[reference] = 0.0
        self._wake.set()

    def refresh(self, reference: str) -> None:
        """Have an image pulled now."""
        self.missing(reference)

    def status(self) -> Mapping[str, ImageStatus]:
        """Return what is known now, by reference."""
        return self._status

    def run(self) -> None:
        """Work until ``stop``."""
        while not self._over:
            wait = self.step()
            self._wake.wait(wait)
            self._wake.clear()

    def stop(self) -> None:
        """End ``run`` after what it is doing; a pull under way is not waited for."""
        self._over = True
        self._wake.set()

    def step(self) -> float:
        """Look after all wanted images once; returns the seconds until the next is due."""
        for reference in sorted(self._wanted):
            if self._due.get(reference, 0.0) <= self.clock.now():
                self._refresh_if_due(reference)
        for reference in set(self._status) - self._wanted:
            self._tell(reference, None)
            self._due.pop(reference, None)
        due = (self._due.get(reference, 0.0) for reference in self._wanted)
        return min(60.0, max(0.1, min(due, default=60.0) - self.clock.now()))

    def _refresh_if_due(self, reference: str) -> None:
        try:
            with talking(self.url):
                client = Client(self.url, timeout=_PULL_TIMEOUT)
                try:
                    self._refresh_one(client, reference)
                finally:
                    client.close()
        except (RuntimeUnavailableError, docker.errors.APIError) as error:
            self._failed(reference, str(error), _local_id(self._status.get(reference)))

    def _refresh_one(self, client: Client, reference: str) -> None:
        local = image_id(client, reference)
        if local is not None or not self._pull:
            # A local image is usable at once, whatever the registry says later.
            known = self._status.get(reference, ImageStatus())
            self._tell(reference, replace(known, id=local))
        if not self._pull:
            word = "" if local else "it is not on the node and image.pull is false"
            self._tell(reference, ImageStatus(id=local, error=word))
            self._due[reference] = self.clock.now() + _FIRST_RETRY
            return
        if local is not None and reference not in self._due:
            self._due[reference] = self.clock.now() + self.until_first_pull()
            return
        known = self._status.get(reference, ImageStatus())
        self._tell(reference, replace(known, id=local, pulling=True))
        try:
            pull(client, reference, self.docker_config)
        except PullError as error:
            self._failed(reference, str(error), local)
            return
        new = image_id(client, reference)
        if new != local:
            log.info("image pulled", extra={"fields": {"image": reference, "id": new}})
        self._failures.pop(reference, None)
        self._due[reference] = self.clock.now() + self.until_next_pull()
        self._tell(reference, ImageStatus(id=new))

    def until_first_pull(self) -> float:
        """Return after how many seconds an image that is here at the start is pulled."""
        return random.uniform(0, min(self._refresh, _SPREAD))  # noqa: S311 (jitter)

    def until_next_pull(self) -> float:
        """Return the seconds between two pulls of an image."""
        return self._refresh * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 (jitter)

    def _failed(self, reference: str, why: str, local: str | None) -> None:
        failures = self._failures[reference] = self._failures.get(reference, 0) + 1
        jitter = random.uniform(0.5, 1.0)  # noqa: S311
        wait = jitter * backoff_delay(failures, _FIRST_RETRY, _LONGEST_RETRY)
        self._due[reference] = retry = self.clock.now() + wait
        fields = {"image": reference, "error": why, "uses": "local image" if local else "nothing"}
        level = logging.WARNING if failures == 1 else logging.DEBUG
        log.log(level, "image could not be pulled", extra={"fields": fields})
        self._tell(reference, ImageStatus(id=local, error=why, retry_at=retry))

    def _tell(self, reference: str, status: ImageStatus | None) -> None:
        others = {key: value for key, value in self._status.items() if key != reference}
        new = others if status is None else {**others, reference: status}
        changed, self._status = new != self._status, new
        if changed:
            self.on_change()


def _local_id(status: ImageStatus | None) -> str | None:
    return status.id if status else None


def image_id(client: Client, reference: str) -> str | None:
    """Return the ID of a local image, None if it is not there."""
    try:
        return str(client.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]
    except docker.errors.NotFound:
        return None


def pull(client: Client, reference: str, docker_config: str | None) -> None:
    """Pull an image; PullError says why it cannot be, in the registry's words.

    Credentials are read anew from Docker's own config each time.
    """
    repository, tag = parse_repository_tag(reference)
    client.reload_config(docker_config)
    end = time.monotonic() + _PULL_TIMEOUT
    try:
        for message in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in message:
                raise PullError(" ".join(str(message["error"]).split())[:300])
            if time.monotonic() > end:
                raise PullError(f"the pull was not done after {_PULL_TIMEOUT:g} s")
    except docker.errors.APIError as error:
        raise PullError(api_text(error)) from error
