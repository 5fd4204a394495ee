"""Wait for the effect of what was asked, and say what is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from plancton.cli.options import seconds_of
from plancton.cli.terminal import progress

if TYPE_CHECKING:
    from plancton.engine.views.snapshot import Snapshot
    from plancton.service.node import NodeClient


def wait_until(
    node: NodeClient,
    met: Callable[[Snapshot | None], bool],
    doing: Callable[[Snapshot | None], str],
    timeout: str | None,
) -> None:
    """Wait until *met* holds of the newest snapshot, or of None when no engine runs.

    RefusedError, with what is still being done, if that takes longer than *timeout*.
    """
    from plancton.config.units import format_duration

    limit = seconds_of(timeout)
    try:
        with progress() as tell:
            if node.wait_for(met, limit, lambda snapshot: tell(doing(snapshot))):
                return
    except KeyboardInterrupt:
        fail("no longer waiting; what was asked goes on")
    over = f"not within {format_duration(limit or 0)}"
    fail(f"{over}: {doing(node.newest_snapshot())}; it goes on, see plancton status")


def wait_until_ended(node: NodeClient, doing: str, timeout: str | None) -> Snapshot | None:
    """Wait until no engine runs; returns its last snapshot."""
    last: Snapshot | None = node.newest_snapshot()

    def remember(snapshot: Snapshot | None) -> str:
        nonlocal last
        last = snapshot or last
        return f"{doing}, {pilots_left(snapshot)}"

    wait_until(node, lambda snapshot: snapshot is None, remember, timeout)
    return last


def pilots_left(snapshot: Snapshot | None) -> str:
    """Say how many pilots are left, and for how long at most."""
    from plancton.config.units import format_duration
    from plancton.engine.views.text import count_pilots

    if snapshot is None:
        return "the engine is about to end"
    lives = [pilot.ttl_left for pilot in snapshot.pilots if pilot.ttl_left is not None]
    latest = f", the last at the latest in {format_duration(max(lives))}" if lives else ""
    return f"{count_pilots(len(snapshot.pilots))} left{latest}"


def fail(text: str) -> NoReturn:
    """End the verb with one line."""
    from plancton.engine.api import RefusedError

    raise RefusedError(text)
