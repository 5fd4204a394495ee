"""Images kept fresh on a thread of their own, so that no tick ever waits for a registry."""

from __future__ import annotations

import logging
import random
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from plancton.engine.backoff_delay import backoff_delay
from plancton.engine.model.node import ImageStatus
from plancton.engine.model.pulled_image import RemovedImage
from plancton.engine.ports import Clock, RuntimeUnavailableError

log = logging.getLogger("plancton")

_FIRST_RETRY, _LONGEST_RETRY = 30.0, 900.0
_SPREAD, _JITTER = 60.0, 0.1
"""Seconds over which first pulls of images that are here, and part by which all later ones, are
spread: nodes that were switched on together shall not ask a registry together."""


class PullError(Exception):
    """The image could not be pulled. Says why."""


class ImageStore(Protocol):
    """The images of a node, as one engine keeps them."""

    def id_of(self, reference: str) -> str | None:
        """Return the ID of an image that is on the node; None: it is not."""

    def pull(self, reference: str, local_id: str | None) -> str:
        """Pull an image, of which *local_id* is here; returns what is odd, empty: nothing.

        PullError.
        """

    def note(self, id_: str | None) -> str:
        """Return what is odd about an image; empty: nothing."""


class ImagePuller(ABC):
    """Implements ``ports.Images``. ``pull_due`` does one round of work, ``run`` waits between.

    How images are looked for, pulled and removed is each engine's own.
    """

    def __init__(self, clock: Clock) -> None:
        """Keep nothing yet; see ``configure``."""
        self.clock = clock
        self.on_change: Callable[[], None] = lambda: None
        """Called after each change of the status."""
        self._references: frozenset[str] = frozenset()
        self._refresh_interval, self._may_pull = 43200.0, True
        self._keep: int | None = None
        self._pinned: frozenset[str] | None = None
        self._removed: deque[RemovedImage] = deque(maxlen=100)
        self._status: Mapping[str, ImageStatus] = {}
        self._due_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._changed, self.stopping = threading.Event(), False

    def configure(
        self, references: frozenset[str], refresh: float, *, pull: bool, keep: int | None
    ) -> None:
        """Say which images are needed; a shorter *refresh* applies from the next pull on."""
        changed = (references, pull) != (self._references, self._may_pull)
        self._references, self._refresh_interval, self._may_pull = references, refresh, pull
        self._keep = keep
        if changed:
            self._changed.set()

    def missing(self, reference: str) -> None:
        """Have an image that has gone from the node looked for at once."""
        self._due_at[reference] = 0.0
        self._changed.set()

    def refresh(self, reference: str) -> None:
        """Have an image pulled now."""
        self.missing(reference)

    def pin(self, ids: frozenset[str]) -> None:
        """Say which images must stay; before it was said once nothing is removed."""
        self._pinned = ids

    def take_removed(self) -> tuple[RemovedImage, ...]:
        """Return what was removed since the last call."""
        return tuple(self._removed.popleft() for _ in range(len(self._removed)))

    def status(self) -> Mapping[str, ImageStatus]:
        """Return what is known now, by reference."""
        return self._status

    def run(self) -> None:
        """Work until ``stop``."""
        while not self.stopping:
            wait = self.pull_due()
            self._changed.wait(wait)
            self._changed.clear()

    def stop(self) -> None:
        """End ``run`` after what it is doing; a pull under way is not waited for."""
        self.stopping = True
        self._changed.set()

    def pull_due(self) -> float:
        """Look after all wanted images once; returns the seconds until the next is due."""
        self._remove_due()
        for reference in sorted(self._references):
            if self._due_at.get(reference, 0.0) <= self.clock.now():
                self._refresh_one(reference)
        for reference in set(self._status) - self._references:
            self._set_status(reference, None)
            self._due_at.pop(reference, None)
        due = (self._due_at.get(reference, 0.0) for reference in self._references)
        return min(60.0, max(0.1, min(due, default=60.0) - self.clock.now()))

    def _remove_due(self) -> None:
        keep, pinned = self._keep, self._pinned
        # Without pulls what is on the node is all there will be.
        if keep is None or pinned is None or not self._may_pull:
            return
        wanted = {each: _local_id(self._status.get(each)) for each in self._references}
        removed = self.remove_superseded(wanted, keep, pinned)
        self._removed.extend(removed)
        if removed:
            self.on_change()

    def _refresh_one(self, reference: str) -> None:
        try:
            with self.store() as store:
                self._refresh(store, reference)
        except RuntimeUnavailableError as error:
            self._note_failure(reference, str(error), _local_id(self._status.get(reference)))

    @abstractmethod
    def store(self) -> AbstractContextManager[ImageStore]:
        """Return the images of the node. What is done with them raises RuntimeUnavailableError."""

    @abstractmethod
    def remove_superseded(
        self, wanted: Mapping[str, str | None], keep: int, pinned: frozenset[str]
    ) -> tuple[RemovedImage, ...]:
        """Remove images that were brought to the node for references and are not needed any more.

        *wanted* are the references with the IDs of their present images; *keep* superseded ones
        of each stay, and those of the IDs *pinned*.
        """

    def _refresh(self, store: ImageStore, reference: str) -> None:
        local_id = store.id_of(reference)
        if local_id is not None or not self._may_pull:
            # A local image is usable at once, whatever the registry says later.
            known = self._status.get(reference, ImageStatus())
            note = store.note(local_id)
            self._set_status(reference, replace(known, id=local_id, note=known.note or note))
        if not self._may_pull:
            word = "" if local_id else "it is not on the node and image.pull is false"
            note = store.note(local_id)
            self._set_status(reference, ImageStatus(id=local_id, error=word, note=note))
            self._due_at[reference] = self.clock.now() + _FIRST_RETRY
            return
        if local_id is not None and reference not in self._due_at:
            self._due_at[reference] = self.clock.now() + self.first_pull_delay()
            return
        known = self._status.get(reference, ImageStatus())
        self._set_status(reference, replace(known, id=local_id, pulling=True))
        try:
            odd = store.pull(reference, local_id)
        except PullError as error:
            self._note_failure(reference, str(error), local_id)
            return
        new_id = store.id_of(reference)
        if new_id != local_id:
            log.info("image pulled", extra={"fields": {"image": reference, "id": new_id}})
        self._failures.pop(reference, None)
        self._due_at[reference] = self.clock.now() + self.next_pull_delay()
        notes = (odd, store.note(new_id))
        self._set_status(reference, ImageStatus(id=new_id, note="; ".join(filter(None, notes))))

    def first_pull_delay(self) -> float:
        """Return after how many seconds an image that is here at the start is pulled."""
        return random.uniform(0, min(self._refresh_interval, _SPREAD))  # noqa: S311 (jitter)

    def next_pull_delay(self) -> float:
        """Return the seconds between two pulls of an image."""
        return self._refresh_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 (jitter)

    def _note_failure(self, reference: str, why: str, local_id: str | None) -> None:
        failures = self._failures[reference] = self._failures.get(reference, 0) + 1
        jitter = random.uniform(0.5, 1.0)  # noqa: S311
        wait = jitter * backoff_delay(failures, _FIRST_RETRY, _LONGEST_RETRY)
        self._due_at[reference] = retry = self.clock.now() + wait
        uses = "local image" if local_id else "nothing"
        fields = {"image": reference, "error": why, "uses": uses}
        level = logging.WARNING if failures == 1 else logging.DEBUG
        log.log(level, "image could not be pulled", extra={"fields": fields})
        self._set_status(reference, ImageStatus(id=local_id, error=why, retry_at=retry))

    def _set_status(self, reference: str, status: ImageStatus | None) -> None:
        others = {key: value for key, value in self._status.items() if key != reference}
        new_id = others if status is None else {**others, reference: status}
        before, changed = self._status.get(reference), new_id != self._status
        self._status = new_id
        if status and status.note and (before is None or status.note != before.note):
            fields = {"image": reference, "note": status.note}
            log.warning("image is not as usual", extra={"fields": fields})
        if changed:
            self.on_change()


def _local_id(status: ImageStatus | None) -> str | None:
    return status.id if status else None
