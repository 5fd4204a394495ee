"""Verbs that start and end Plancton, end its pilots, and have the configuration read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import Level, LogLevel, NoWait, RunDir, Timeout, node_of, with_paths
from plancton.cli.terminal import progress, say
from plancton.cli.wait import fail, wait_until_ended

if TYPE_CHECKING:
    from plancton.engine.model.operator import Mode
    from plancton.engine.views.snapshot import Snapshot
    from plancton.service.node import NodeClient
    from plancton.service.process.paths import Paths

_RELOAD_TIMEOUT = 30.0
"""Seconds within which an engine that is well has read its configuration."""


@with_paths("config", "confdir", "rundir", "logdir", "statedir", "pidfile")
def start(paths: Paths, log_level: LogLevel = Level.INFO) -> None:
    """Start Plancton in the background, and say whether it came up.

    Where its systemd unit is installed, that is started. Example: plancton start
    """
    _start(paths, log_level)


@with_paths("config", "confdir", "rundir", "logdir", "statedir", "pidfile")
def force_start(paths: Paths, log_level: LogLevel = Level.INFO) -> None:
    """Take drain, drain-stop and force-stop back, then start: resume and start."""
    from plancton.engine.model.operator import Mode
    from plancton.service.node import LocalNode

    LocalNode(paths).set_mode(Mode.ACTIVE)
    _start(paths, log_level)


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

    snapshot = node.newest_snapshot()
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
    from plancton.engine.views.text import count_pilots

    node = node_of(rundir)
    if node.pid is None:
        say("no engine runs here: nothing to stop")
        return
    before = node.newest_snapshot()
    node.stop()
    if no_wait:
        say("asked the engine to end")
        return
    last = wait_until_ended(node, "ending", timeout) or before
    left = len(last.pilots) if last and last.mode.value in ("active", "draining") else 0
    say(f"ended; {count_pilots(left)} left running" if left else "ended")


@with_paths("config", "confdir", "rundir", "statedir")
def force_stop(paths: Paths, no_wait: NoWait = False, timeout: Timeout = None) -> None:
    """Kill all pilots at once, then end Plancton. Works without a running engine too."""
    from plancton.engine.model.operator import Mode
    from plancton.service.node import LocalNode

    node = LocalNode(paths)
    if not node.pid:
        _reap(Mode.FORCED, paths)
        return
    if not node.set_mode(Mode.FORCED):
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

    if not node.wait_for(read, _RELOAD_TIMEOUT):
        fail("the engine has not read it yet: it is busy, or the network is; see plancton status")
    if after.config_error:
        fail(f"refused, the last good one stays: {after.config_error}")
    if after.remote and after.remote.error:
        fail(f"not fetched, the last good one stays: {after.remote.error}")
    new = "unchanged" if after.config_revision == before.config_revision else "new"
    say(f"revision {after.config_revision} is in force ({new}), from {after.config_source}")


@with_paths("config", "confdir", "rundir", "statedir")
def reap(
    everything: Annotated[
        bool, typer.Option("--all", help="End all pilots, not only those whose TTL is over.")
    ] = False,
    *,
    paths: Paths,
) -> None:
    """End pilots whose time is over and remove exited ones, when no engine runs to do it.

    For a timer or systemd's ExecStopPost: pilots keep their time to live though Plancton is away.
    """
    from plancton.engine.model.operator import Mode
    from plancton.service.process.lock import holder

    pid = holder(paths.lock)
    if pid:
        say(f"nothing to do: the engine (process {pid}) runs and does it")
        return
    _reap(Mode.ENDING if everything else Mode.DRAINING, paths)


def _reap(mode: Mode, paths: Paths) -> None:
    from plancton.engine.views.text import count_pilots
    from plancton.service.reap import reap_all

    with progress() as tell:
        tell("ending pilots")
        reaped = reap_all(paths, mode)
    done = (
        f"{count_pilots(reaped.ended)} ended and removed, {reaped.left} left to their time to live"
    )
    say(f"instance {reaped.instance}: {done}")
    if reaped.others:
        rest = ", ".join(f"{name} ({count})" for name, count in sorted(reaped.others.items()))
        say(f"pilots of other instances run on: {rest}; --config or --rundir says which is meant")
