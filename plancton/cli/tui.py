"""The verbs of the terminal user interface."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from plancton.cli.hosts import chosen_hosts, transport_to
from plancton.cli.options import (
    ConfDir,
    ConfigOption,
    Level,
    LogDir,
    LogLevel,
    RunDir,
    StateDir,
    paths_of,
)


class Theme(StrEnum):
    """How the screen looks; NO_COLOR in the environment takes all colours away."""

    DARK = "dark"
    LIGHT = "light"


ThemeOption = Annotated[Theme, typer.Option("--theme", help="For a dark or a light terminal.")]
ReadOnly = Annotated[bool, typer.Option("--readonly", help="Only look: no key changes anything.")]


def _on_a_terminal() -> None:
    from plancton.engine.api import RefusedError

    # textual writes the screen to stderr; as a web page it has another driver.
    here = sys.stdin.isatty() and sys.__stderr__ is not None and sys.__stderr__.isatty()
    if not here and "TEXTUAL_DRIVER" not in os.environ:
        raise RefusedError("this needs a terminal; without one: plancton status, plancton serve")


def tui(
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    logdir: LogDir = None,
    statedir: StateDir = None,
    log_level: LogLevel = Level.INFO,
    readonly: ReadOnly = False,
    theme: ThemeOption = Theme.DARK,
    attach: Annotated[
        bool, typer.Option("--attach", help="Never host an engine; wait for one to attach to.")
    ] = False,
) -> None:
    """Show this node live, and take it in hand. ? shows all keys.

    Attaches to the engine that runs on this node (or on --host), or hosts one until you quit.

    Example: plancton tui --readonly
    """
    _on_a_terminal()
    from plancton.service.node import RemoteNode
    from plancton.tui.launch import DisplayOptions, attach_to, run

    display = DisplayOptions(theme.value, readonly)
    for host in chosen_hosts():
        # Later connections could not ask for anything: the screen has the terminal.
        far = transport_to(host, rundir, batch=True)
        if not attach:
            RemoteNode(far).engine.snapshot()  # raises if none runs there
        raise typer.Exit(attach_to(far, f"attached to {host}", display))
    paths = paths_of(config, confdir, rundir, logdir, statedir)
    own = paths.asked_for_config or rundir is not None
    raise typer.Exit(run(paths, display, log_level, attach=attach, own=own))


def web(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on the loopback.")] = 8080,
    control: Annotated[
        bool,
        typer.Option("--control", help="Let whoever can open the page drain, kill and freeze."),
    ] = False,
    rundir: RunDir = None,
    theme: ThemeOption = Theme.DARK,
) -> None:
    """Serve the TUI of a running engine as a web page, on the loopback only; needs plancton[web].

    Every user of this machine can open the page, so without --control it is read-only.
    """
    from plancton.tui.web import serve

    serve(port, rundir, theme.value, control=control)


def demo(
    speed: Annotated[float, typer.Option(min=1, help="Times faster than time.")] = 120.0,
    seconds: Annotated[float, typer.Option("--for", help="End after so many seconds.")] = 1e9,
    cores: Annotated[int, typer.Option(min=1, max=64, help="Cores of the node.")] = 8,
    theme: ThemeOption = Theme.DARK,
) -> None:
    """Show Plancton at work on a simulated node, without Docker. q ends it."""
    _on_a_terminal()
    from plancton.tui.demo import demo as run
    from plancton.tui.launch import DisplayOptions

    run(speed, seconds, cores, DisplayOptions(theme.value))
