"""Threads whose death is seen: it is logged and ends the process, so that it is restarted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("plancton")


class ThreadSupervisor:
    """Starts threads and learns of the first one that ends."""

    def __init__(self) -> None:
        """Start with none."""
        self.any_ended = threading.Event()
        self.failure = ""

    def start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Run *work* in a thread; its end, of whatever kind, sets ``any_ended``."""

        def run() -> None:
            try:
                work()
            except BaseException as error:
                self.failure = self.failure or f"the {name} thread died: {error!r}"
                log.exception("thread died", extra={"fields": {"thread": name}})
            self.any_ended.set()

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread
