"""Follow a remote configuration: look now and then, keep the last good one on disk."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from plancton.config.config_file import Fetched
from plancton.config.effective import RemoteState
from plancton.config.schema import Remote
from plancton.config.write import without_credentials
from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.ports import Clock
from plancton.runtime.atomic_file import AtomicFile, read_or_set_aside, read_regular
from plancton.service.remote_config.fetch import MAX_SIZE, Fetcher, FetchError

log = logging.getLogger("plancton")
_JITTER = 0.1
_FIRST_RETRY = 5.0
_LARGEST = 2 * MAX_SIZE
_SPREAD = 60.0
"""Seconds over which the first looks of nodes that were switched on together are spread."""


@dataclass(frozen=True, slots=True)
class SavedText:
    """A text as it is kept on disk."""

    url: str
    path: str
    text: str
    version: str
    fetched_wall: float

    def came_from(self, remote: Remote) -> bool:
        """Say whether it came from *remote*."""
        return (self.url, self.path) == (without_credentials(remote.url), remote.path)


_SAVED_TEXT = TypeAdapter(SavedText)


class RemoteConfigFollower:
    """Implements ``config.config_file.RemoteText``. Its thread fetches; the others only look."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Keep the last good text at *path*.

        ``on_change`` is called after each requested look, and whenever something new was found.
        """
        self.on_change: Callable[[], None] = lambda: None
        self._file = AtomicFile(path, "cannot keep the remote configuration")
        self._clock = clock
        self._fetcher = Fetcher()
        self._changed = threading.Condition()
        self._remote = Remote()
        self._good = self._newest = _load_saved(path)
        self._state: RemoteState | None = None
        self._stamp = 0
        self._fetch_requested = self._stopping = False
        self.first_fetch_delay: float | None = None
        """Seconds from the start to the first look; None: at once."""
        self._failures = 0

    # --- config_file.RemoteText ---------------------------------------------------------

    def configure(self, remote: Remote) -> None:
        """Follow *remote* from now on."""
        with self._changed:
            if remote == self._remote:
                return
            starting = not self._remote.url
            self._remote, self._failures = remote, 0
            for name in ("_good", "_newest"):
                saved: SavedText | None = getattr(self, name)
                if saved is not None and remote.url and not saved.came_from(remote):
                    setattr(self, name, None)
            wall = self._good.fetched_wall if self._good else None
            url = without_credentials(remote.url)
            self._state = RemoteState(url, None, wall) if remote.url else None
            if starting and self._good is not None:
                self.first_fetch_delay = random.uniform(0, min(remote.interval, _SPREAD))  # noqa: S311 (jitter)
            else:  # without a configuration no pilot is started
                self._fetch_requested = True
            self._changed.notify()

    def stamp(self) -> object:
        """Return a number that grows with each change."""
        return self._stamp

    def texts_to_try(self) -> tuple[Fetched, ...]:
        """Return the newest text, then the last good one."""
        with self._changed:
            found = [each for each in (self._newest, self._good) if each is not None]
        unique = {each.text: Fetched(each.text, each.url) for each in found}
        return tuple(unique.values())

    def mark_good(self, fetched: Fetched) -> None:
        """Keep a text that proved good."""
        with self._changed:
            newest = self._newest
            if newest is None or newest.text != fetched.text or newest == self._good:
                return
            self._good = newest
            if self._state is not None:
                self._state = replace(self._state, fetched_wall=newest.fetched_wall)
        self._file.write(_SAVED_TEXT.dump_json(newest))

    def state(self) -> RemoteState | None:
        """Return how it went."""
        return self._state

    # --- the thread ---------------------------------------------------------------------

    def fetch_now(self) -> None:
        """Look now; ``on_change`` is called when that is done. At once if nothing is followed."""
        with self._changed:
            if self._remote.url:
                self._fetch_requested = True
                self._changed.notify()
                return
        self.on_change()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Look when requested and when it is time, until stopped."""
        lost = "the last good remote configuration is lost"
        read_or_set_aside(self._file.path, _LARGEST, _SAVED_TEXT.validate_json, lost)
        wait = self.first_fetch_delay
        while True:
            with self._changed:
                if not self._fetch_requested and not self._stopping:
                    self._changed.wait(wait)
                if self._stopping:
                    return
                requested, remote = self._fetch_requested, self._remote
                self._fetch_requested = False
            if not remote.url:
                wait = None
                continue
            if self.fetch(remote) or requested:
                self.on_change()
            wait = self.next_fetch_delay(remote)

    def fetch(self, remote: Remote) -> bool:
        """Look once; returns whether anything changed."""
        known = self._newest.version if self._newest else ""
        try:
            found, error = self._fetcher.fetch(remote, known), ""
        except FetchError as failed:
            found, error = None, str(failed)
        wall = self._clock.wall()
        with self._changed:
            if remote != self._remote or self._state is None:
                return False
            self._failures = self._failures + 1 if error else 0
            first = not self._state.checked_wall
            changed = first or found is not None or self._state.error != error
            self._state = replace(self._state, checked_wall=wall, error=error)
            if found is not None:
                url = without_credentials(remote.url)
                self._newest = SavedText(url, remote.path, found.text, found.version, wall)
            self._stamp += changed
        if error and changed:
            fields = {"url": without_credentials(remote.url), "error": error}
            log.warning("remote configuration not fetched", extra={"fields": fields})
        return changed

    def next_fetch_delay(self, remote: Remote) -> float:
        """Return the seconds to the next look: soon after a failure, and not all nodes at once."""
        if self._failures:
            jitter = random.uniform(0.5, 1.0)  # noqa: S311
            return jitter * backoff_delay(self._failures, _FIRST_RETRY, remote.interval)
        return remote.interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 (jitter)


def _load_saved(path: Path) -> SavedText | None:
    try:
        return _SAVED_TEXT.validate_json(read_regular(path, _LARGEST))
    except (OSError, ValueError):
        return None  # said later: there is no log yet
