"""Verbs that set the mode of the node, or of several: drain, drain-stop, resume."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from plancton.cli.hosts import chosen_hosts
from plancton.cli.options import NoWait, RunDir, Timeout, Wait, node_of
from plancton.cli.terminal import say
from plancton.cli.wait import pilots_left, wait_until, wait_until_ended

if TYPE_CHECKING:
    from pathlib import Path

    from plancton.engine.model.operator import Mode
    from plancton.engine.views.snapshot import Snapshot
    from plancton.service.node import NodeClient

_HEARD_WITHIN = 15.0
"""Seconds within which an engine that is well has heard an order."""


def drain(
    rundir: RunDir = None,
    wait: Wait = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Start no new pilots; those running go on to their end. Undo with resume.

    Example: plancton drain --wait --timeout 2h && reboot
    """
    from plancton.engine.model.operator import Mode

    def drained(node: NodeClient) -> str:
        wait_until(node, lambda s: s is None or not s.pilots, pilots_left, timeout)
        return "no pilot is left"

    done = "no new pilots are started"
    _give_order(rundir, Mode.DRAINING, done, no_wait, drained if wait else None)


def drain_stop(
    rundir: RunDir = None,
    wait: Wait = False,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Start no new pilots, and end Plancton when the last one has gone."""
    from plancton.engine.model.operator import Mode

    def ended(node: NodeClient) -> str:
        wait_until_ended(node, "draining", timeout)
        return "ended; no pilot is left"

    done = "no new pilots are started; Plancton ends when the last has gone"
    _give_order(rundir, Mode.STOPPING, done, no_wait, ended if wait else None)


def resume(rundir: RunDir = None, no_wait: NoWait = False) -> None:
    """Take drain, drain-stop and force-stop back."""
    from plancton.engine.model.operator import Mode

    _give_order(rundir, Mode.ACTIVE, "pilots are started again", no_wait)


def _give_order(
    rundir: Path | None,
    mode: Mode,
    done: str,
    no_wait: bool,
    wait: Callable[[NodeClient], str] | None = None,
) -> None:
    """Give an order to the node, or to all that were named, and say what came of it."""
    if len(chosen_hosts()) > 1:
        from plancton.cli.multi_host import give_order_to_all

        def order_and_wait(node: NodeClient) -> str:
            said, _ = _set_mode(node, mode, done, no_wait)
            return wait(node) if wait else said

        give_order_to_all(rundir, order_and_wait)
        return
    node = node_of(rundir)
    said, running = _set_mode(node, mode, done, no_wait)
    say(said)
    if running and wait:
        say(wait(node))


def _set_mode(node: NodeClient, mode: Mode, done: str, no_wait: bool) -> tuple[str, bool]:
    """Give an order and see it heard; returns what came of it, and whether an engine runs."""
    running = node.pid is not None
    heard = node.set_mode(mode)
    if heard and not no_wait:
        heard = node.wait_for(partial(_in_force, mode), _HEARD_WITHIN)
    words = f"{mode.value}: {done}"
    if not running:
        return f"{words} (no engine runs: kept for the next start)", False
    busy = "" if heard else " (the engine is busy: it is kept, and done as soon as it looks)"
    return f"{words}{busy}{_left_running(node, mode)}", True


def _in_force(mode: Mode, snapshot: Snapshot | None) -> bool:
    """Say whether an engine that runs has taken *mode*, or a stronger one holds anyway."""
    if snapshot is None or mode.value == "active":
        return snapshot is None or snapshot.mode is mode
    return snapshot.mode.rank >= mode.rank


def _left_running(node: NodeClient, mode: Mode) -> str:
    from plancton.engine.views.text import count_pilots

    snapshot = node.newest_snapshot()
    if snapshot is None or mode.value == "active":
        return ""
    stronger = f"; the node is {snapshot.mode.value}" if snapshot.mode is not mode else ""
    return f"; {count_pilots(len(snapshot.pilots))} left running{stronger}"
