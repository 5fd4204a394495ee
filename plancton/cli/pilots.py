"""Verbs on single pilots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import (
    NoWait,
    PilotNames,
    RunDir,
    Timeout,
    node_of,
)
from plancton.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from plancton.engine.model.operator import PilotCommand
    from plancton.engine.views.snapshot import PilotView, Snapshot
from plancton.cli.wait import fail, wait_until


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
    from plancton.engine.model.operator import PilotCommand

    def gone(pilot: PilotView | None) -> bool:
        return pilot is None

    _command_pilots(PilotCommand.KILL, "killed", pilots, everything, rundir, no_wait, timeout, gone)


def freeze(
    pilots: PilotNames = None,
    everything: Annotated[bool, typer.Option("--all", help="All pilots.")] = False,
    rundir: RunDir = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Stop pilots where they are, until thaw, or until their time to live is over."""
    from plancton.engine.model.operator import PilotCommand

    def frozen(pilot: PilotView | None) -> bool:
        return pilot is None or pilot.state == "frozen"

    _command_pilots(
        PilotCommand.FREEZE, "frozen", pilots, everything, rundir, no_wait, timeout, frozen
    )


def thaw(
    pilots: PilotNames = None,
    everything: Annotated[bool, typer.Option("--all", help="All pilots.")] = False,
    rundir: RunDir = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
) -> None:
    """Let frozen pilots go on."""
    from plancton.engine.model.operator import PilotCommand

    def thawed(pilot: PilotView | None) -> bool:
        return pilot is None or pilot.state != "frozen"

    _command_pilots(
        PilotCommand.THAW, "thawed", pilots, everything, rundir, no_wait, timeout, thawed
    )


def _command_pilots(
    command: PilotCommand,
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
    names = [engine.command_pilot(word, command) for word in words]
    if not names:
        say("there are no pilots")
        return
    if no_wait:
        say(f"asked to {command.value} {', '.join(names)}")
        return

    def all_met(now: Snapshot | None) -> bool:
        by_name = {pilot.name or pilot.id[:12]: pilot for pilot in now.pilots} if now else {}
        for each in now.decisions if now else ():
            if each.error and each.wall > before.wall and each.subject in names:
                fail(f"{each.subject} could not be {done}: {each.error}")
        fresh = now is None or now.tick > before.tick
        return fresh and all(met(by_name.get(name)) for name in names)

    wait_until(node, all_met, lambda _: f"waiting for {', '.join(names)}", timeout)
    say(f"{done}: {', '.join(names)}")
