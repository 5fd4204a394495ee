"""Verbs that start and stop Plancton, drain the node, and have the configuration read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.hosts import named
from plancton.cli.options import (
    ConfDir,
    ConfigOption,
    Level,
    LogDir,
    LogLevel,
    NoWait,
    PidFile,
    RunDir,
    StateDir,
    Timeout,
    Wait,
    node_of,
    paths_of,
)
from plancton.cli.terminal import progress, say

if TYPE_CHECKING:
    from pathlib import Path

    from plancton.engine.model.operator import Mode
    from plancton.engine.views.snapshot import Snapshot
    from plancton.service.node import NodeClient
    from plancton.service.process.paths import Paths
from plancton.cli.wait import fail, pilots_left, wait_until, wait_until_ended

_SOON = 15.0
"""Seconds within which an engine that is well has heard an order."""


def start(
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    logdir: LogDir = None,
    statedir: StateDir = None,
    pidfile: PidFile = None,
    log_level: LogLevel = Level.INFO,
) -> None:
    """Start Plancton in the background, and say whether it came up.

    Where its systemd unit is installed, that is started. Example: plancton start
    """
    _start(paths_of(config, confdir, rundir, logdir, statedir, pidfile), log_level)


def force_start(
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    logdir: LogDir = None,
    statedir: StateDir = None,
    pidfile: PidFile = None,
    log_level: LogLevel = Level.INFO,
) -> None:
    """Take drain, drain-stop and force-stop back, then start: resume and start."""
    from plancton.engine.model.operator import Mode

    node_of(rundir).order(Mode.ACTIVE)
    _start(paths_of(config, confdir, rundir, logdir, statedir, pidfile), log_level)


def _start(paths: Paths, log_level: str) -> None:
    from plancton.service import systemd
    from plancton.service.node import LocalNode
    from plancton.service.process import daemon

    node = LocalNode(paths)
    if node.pid:
        say(f"runs already, process {node.pid}{_standing(node)}")
        return
    unit = systemd.unit_for(paths)
    with progress() as tell:
        tell("starting")
        pid = systemd.start(unit, node) if unit else daemon.start(paths, log_level)
    by = f" by systemd ({unit})" if unit else ""
    say(f"started, process {pid}{by}{_standing(node)}")


def _standing(node: NodeClient) -> str:
    """Say what else is to be known of a running engine."""
    from plancton.engine.model.operator import Mode

    snapshot = node.seen()
    if snapshot is None:
        return ""
    words = ""
    if snapshot.mode is not Mode.ACTIVE:
        words += f"; the node is {snapshot.mode.value} as asked: plancton resume takes it back"
    return words + (f"; but {snapshot.degraded}" if snapshot.degraded else "")


def stop(rundir: RunDir = None, no_wait: NoWait = False, timeout: Timeout = None) -> None:
    """End Plancton. What becomes of its pilots says node.on_stop: by default they stay.

    Their time to live holds on: the next start, or reap, ends those that are overdue.
    """
    node = node_of(rundir)
    if node.pid is None:
        say("no engine runs here: nothing to stop")
        return
    before = node.seen()
    node.stop()
    if no_wait:
        say("asked the engine to end")
        return
    last = wait_until_ended(node, "ending", timeout) or before
    from plancton.engine.views.text import pilots as counted

    left = len(last.pilots) if last and last.mode.value in ("active", "draining") else 0
    say(f"ended; {counted(left)} left running" if left else "ended")


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
    _order(rundir, Mode.DRAINING, done, no_wait, drained if wait else None)


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
    _order(rundir, Mode.STOPPING, done, no_wait, ended if wait else None)


def resume(rundir: RunDir = None, no_wait: NoWait = False) -> None:
    """Take drain, drain-stop and force-stop back."""
    from plancton.engine.model.operator import Mode

    _order(rundir, Mode.ACTIVE, "pilots are started again", no_wait)


def force_stop(
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    statedir: StateDir = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Kill all pilots at once, then end Plancton. Works without a running engine too."""
    from plancton.engine.model.operator import Mode

    node = node_of(rundir)
    if not node.pid:
        _reap("forced", paths_of(config, confdir, rundir, None, statedir))
        return
    if not node.order(Mode.FORCED):
        say("the engine does not answer; the order is kept, and carried out as soon as it does")
    if no_wait:
        say("forced: the pilots are killed, then Plancton ends")
        return
    wait_until_ended(node, "killing", timeout)
    say("ended; all pilots were killed")


def reload(rundir: RunDir = None, no_wait: NoWait = False) -> None:
    """Read the configuration again now (a changed file is noticed without it).

    A remote one is fetched. Says which revision is in force, or why the new one is refused.
    """
    node = node_of(rundir)
    before = node.engine.snapshot()
    node.engine.reload()
    if no_wait:
        say("asked the engine to read its configuration; see plancton status")
        return
    after = before

    def read(now: Snapshot | None) -> bool:
        nonlocal after
        after = now or before
        return now is None or now.reloads > before.reloads

    if not node.watch(read, 2 * _SOON):
        fail("the engine has not read it yet: it is busy, or the network is; see plancton status")
    if after.config_error:
        fail(f"refused, the last good one stays: {after.config_error}")
    if after.remote and after.remote.error:
        fail(f"not fetched, the last good one stays: {after.remote.error}")
    new = "unchanged" if after.config_revision == before.config_revision else "new"
    say(f"revision {after.config_revision} is in force ({new}), from {after.config_source}")


def reap(
    everything: Annotated[
        bool, typer.Option("--all", help="End all pilots, not only those whose TTL is over.")
    ] = False,
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    statedir: StateDir = None,
) -> None:
    """End pilots whose time is over and remove exited ones, when no engine runs to do it.

    For a timer or systemd's ExecStopPost: pilots keep their time to live though Plancton is away.
    """
    pid = node_of(rundir).pid
    if pid:
        say(f"nothing to do: the engine (process {pid}) runs and does it")
        return
    paths = paths_of(config, confdir, rundir, None, statedir)
    _reap("ending" if everything else "draining", paths)


def _order(
    rundir: Path | None,
    mode: Mode,
    done: str,
    no_wait: bool,
    wait: Callable[[NodeClient], str] | None = None,
) -> None:
    """Give an order to the node, or to all that were named, and say what came of it."""
    if len(named()) > 1:
        from plancton.cli.multi_host import order

        def both(node: NodeClient) -> str:
            said, _ = _ordered(node, mode, done, no_wait)
            return wait(node) if wait else said

        order(rundir, both)
        return
    node = node_of(rundir)
    said, running = _ordered(node, mode, done, no_wait)
    say(said)
    if running and wait:
        say(wait(node))


def _ordered(node: NodeClient, mode: Mode, done: str, no_wait: bool) -> tuple[str, bool]:
    """Give an order and see it heard; returns what came of it, and whether an engine runs."""
    running = node.pid is not None
    heard = node.order(mode)
    if heard and not no_wait:
        at_least = _at_least(mode)
        heard = node.watch(lambda s: s is None or at_least(s.mode), _SOON)
    words = f"{mode.value}: {done}"
    if not running:
        return f"{words} (no engine runs: kept for the next start)", False
    busy = "" if heard else " (the engine is busy: it is kept, and done as soon as it looks)"
    return f"{words}{busy}{_still(node, mode)}", True


def _at_least(asked: Mode) -> Callable[[Mode], bool]:
    from plancton.engine.model.operator import Mode

    order = tuple(Mode)
    if asked is Mode.ACTIVE:
        return lambda mode: mode is Mode.ACTIVE
    return lambda mode: order.index(mode) >= order.index(asked)


def _still(node: NodeClient, mode: Mode) -> str:
    from plancton.engine.views.text import pilots as counted

    snapshot = node.seen()
    if snapshot is None:
        return ""
    stronger = f"; the node is {snapshot.mode.value}" if snapshot.mode is not mode else ""
    return (
        f"; {counted(len(snapshot.pilots))} left running{stronger}"
        if mode.value != "active"
        else ""
    )


def _reap(mode: str, paths: Paths) -> None:
    from plancton.engine.model.operator import Mode
    from plancton.engine.views.text import pilots as counted
    from plancton.service.reap import reap_all

    with progress() as tell:
        tell("ending pilots")
        ended, left = reap_all(paths, Mode(mode))
    say(f"{counted(ended)} ended and removed, {left} left to their time to live")
