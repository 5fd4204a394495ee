"""What asking an engine may come to. Apart from ``handle``, for what has to start quickly."""

from __future__ import annotations


class NotRunningError(Exception):
    """No engine runs on this node, or it does not answer."""


class RefusedError(Exception):
    """The engine refused what it was asked. Says why."""


class UnreachableError(RefusedError):
    """The machine of the engine was not reached, so nothing is known of it."""
