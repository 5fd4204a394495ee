"""Verbs that change something. Each may be repeated, and says what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

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
    PilotNames,
    RunDir,
    StateDir,
    Timeout,
    Wait,
    node_of,
    paths_of,
    seconds_of,
)
from plancton.cli.show import progress, say

if TYPE_CHECKING:
    from pathlib import Path

    from plancton.engine.model import Mode, Wish
    from plancton.engine.snapshot import PilotView, Snapshot
    from plancton.service.node import AnyNode
    from plancton.service.paths import Paths

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
    from plancton.engine.model import Mode

    node_of(rundir).order(Mode.ACTIVE)
    _start(paths_of(config, confdir, rundir, logdir, statedir, pidfile), log_level)


def _start(paths: Paths, log_level: str) -> None:
    from plancton.service import daemon, systemd
    from plancton.service.node import Node

    node = Node(paths)
    if node.pid:
        say(f"runs already, process {node.pid}{_standing(node)}")
        return
    unit = systemd.unit_for(paths)
    with progress() as tell:
        tell("starting")
        pid = systemd.start(unit, node) if unit else daemon.start(paths, log_level)
    by = f" by systemd ({unit})" if unit else ""
    say(f"started, process {pid}{by}{_standing(node)}")


def _standing(node: AnyNode) -> str:
    """Say what else is to be known of a running engine."""
    from plancton.engine.model import Mode

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
    last = _until_ended(node, "ending", timeout) or before
    from plancton.engine.words import pilots as counted

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
    from plancton.engine.model import Mode

    def drained(node: AnyNode) -> str:
        _until(node, lambda s: s is None or not s.pilots, _pilots_left, timeout)
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
    from plancton.engine.model import Mode

    def ended(node: AnyNode) -> str:
        _until_ended(node, "draining", timeout)
        return "ended; no pilot is left"

    done = "no new pilots are started; Plancton ends when the last has gone"
    _order(rundir, Mode.STOPPING, done, no_wait, ended if wait else None)


def resume(rundir: RunDir = None, no_wait: NoWait = False) -> None:
    """Take drain, drain-stop and force-stop back."""
    from plancton.engine.model import Mode

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
    from plancton.engine.model import Mode

    node = node_of(rundir)
    if not node.pid:
        _reap("forced", paths_of(config, confdir, rundir, None, statedir))
        return
    if not node.order(Mode.FORCED):
        say("the engine does not answer; the order is kept, and carried out as soon as it does")
    if no_wait:
        say("forced: the pilots are killed, then Plancton ends")
        return
    _until_ended(node, "killing", timeout)
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
        _fail("the engine has not read it yet: it is busy, or the network is; see plancton status")
    if after.config_error:
        _fail(f"refused, the last good one stays: {after.config_error}")
    if after.remote and after.remote.error:
        _fail(f"not fetched, the last good one stays: {after.remote.error}")
    new = "unchanged" if after.config_revision == before.config_revision else "new"
    say(f"revision {after.config_revision} is in force ({new}), from {after.config_source}")


def kill(
    pilots: PilotNames = None,
    everything: Annotated[bool, typer.Option("--all", help="All pilots.")] = False,
    rundir: RunDir = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Kill pilots at once (SIGKILL). New ones take their place unless the node is draining.

    Examples: plancton kill plancton-worker-k3x9qa; plancton kill --all
    """
    from plancton.engine.model import Wish

    def gone(pilot: PilotView | None) -> bool:
        return pilot is None

    _wish(Wish.KILL, "killed", pilots, everything, rundir, no_wait, timeout, gone)


def freeze(
    pilots: PilotNames = None,
    everything: Annotated[bool, typer.Option("--all", help="All pilots.")] = False,
    rundir: RunDir = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Stop pilots where they are, until thaw, or until their time to live is over."""
    from plancton.engine.model import Wish

    def frozen(pilot: PilotView | None) -> bool:
        return pilot is None or pilot.state == "frozen"

    _wish(Wish.FREEZE, "frozen", pilots, everything, rundir, no_wait, timeout, frozen)


def thaw(
    pilots: PilotNames = None,
    everything: Annotated[bool, typer.Option("--all", help="All pilots.")] = False,
    rundir: RunDir = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Let frozen pilots go on."""
    from plancton.engine.model import Wish

    def thawed(pilot: PilotView | None) -> bool:
        return pilot is None or pilot.state != "frozen"

    _wish(Wish.THAW, "thawed", pilots, everything, rundir, no_wait, timeout, thawed)


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
    wait: Callable[[AnyNode], str] | None = None,
) -> None:
    """Give an order to the node, or to all that were named, and say what came of it."""
    if len(named()) > 1:
        from plancton.cli.several import order

        def both(node: AnyNode) -> str:
            said, _ = _ordered(node, mode, done, no_wait)
            return wait(node) if wait else said

        order(rundir, both)
        return
    node = node_of(rundir)
    said, running = _ordered(node, mode, done, no_wait)
    say(said)
    if running and wait:
        say(wait(node))


def _ordered(node: AnyNode, mode: Mode, done: str, no_wait: bool) -> tuple[str, bool]:
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
    from plancton.engine.model import Mode

    order = tuple(Mode)
    if asked is Mode.ACTIVE:
        return lambda mode: mode is Mode.ACTIVE
    return lambda mode: order.index(mode) >= order.index(asked)


def _still(node: AnyNode, mode: Mode) -> str:
    from plancton.engine.words import pilots as counted

    snapshot = node.seen()
    if snapshot is None:
        return ""
    stronger = f"; the node is {snapshot.mode.value}" if snapshot.mode is not mode else ""
    return (
        f"; {counted(len(snapshot.pilots))} left running{stronger}"
        if mode.value != "active"
        else ""
    )


def _wish(
    wish: Wish,
    done: str,
    pilots: list[str] | None,
    everything: bool,
    rundir: Path | None,
    no_wait: bool,
    timeout: str | None,
    met: Callable[[PilotView | None], bool],
) -> None:
    if bool(pilots) == everything:
        raise typer.BadParameter("name pilots, or say --all")
    node = node_of(rundir)
    engine = node.engine
    before = engine.snapshot()
    words = [pilot.id for pilot in before.pilots] if everything else pilots or []
    names = [engine.wish(word, wish) for word in words]
    if not names:
        say("there are no pilots")
        return
    if no_wait:
        say(f"asked to {wish.value} {', '.join(names)}")
        return

    def all_met(now: Snapshot | None) -> bool:
        by_name = {pilot.name or pilot.id[:12]: pilot for pilot in now.pilots} if now else {}
        for each in now.decisions if now else ():
            if each.error and each.wall > before.wall and each.subject in names:
                _fail(f"{each.subject} could not be {done}: {each.error}")
        fresh = now is None or now.tick > before.tick
        return fresh and all(met(by_name.get(name)) for name in names)

    _until(node, all_met, lambda _: f"waiting for {', '.join(names)}", timeout)
    say(f"{done}: {', '.join(names)}")


def _until(
    node: AnyNode,
    met: Callable[[Snapshot | None], bool],
    doing: Callable[[Snapshot | None], str],
    timeout: str | None,
) -> None:
    from plancton.config.units import format_duration

    limit = seconds_of(timeout)
    try:
        with progress() as tell:
            if node.watch(met, limit, lambda seen: tell(doing(seen))):
                return
    except KeyboardInterrupt:
        _fail("no longer waiting; what was asked goes on")
    over = f"not within {format_duration(limit or 0)}"
    _fail(f"{over}: {doing(node.seen())}; it goes on, see plancton status")


def _until_ended(node: AnyNode, doing: str, timeout: str | None) -> Snapshot | None:
    last: Snapshot | None = node.seen()

    def told(snapshot: Snapshot | None) -> str:
        nonlocal last
        last = snapshot or last
        return f"{doing}, {_pilots_left(snapshot)}"

    _until(node, lambda snapshot: snapshot is None, told, timeout)
    return last


def _pilots_left(snapshot: Snapshot | None) -> str:
    from plancton.config.units import format_duration
    from plancton.engine.words import pilots as counted

    if snapshot is None:
        return "the engine is about to end"
    lives = [pilot.ttl_left for pilot in snapshot.pilots if pilot.ttl_left is not None]
    latest = f", the last at the latest in {format_duration(max(lives))}" if lives else ""
    return f"{counted(len(snapshot.pilots))} left{latest}"


def _reap(mode: str, paths: Paths) -> None:
    from plancton.engine.model import Mode
    from plancton.engine.words import pilots as counted
    from plancton.service.reap import reap_all

    with progress() as tell:
        tell("ending pilots")
        ended, left = reap_all(paths, Mode(mode))
    say(f"{counted(ended)} ended and removed, {left} left to their time to live")


def _fail(text: str) -> NoReturn:
    from plancton.engine.handle import RefusedError

    raise RefusedError(text)
