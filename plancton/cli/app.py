"""The ``plancton`` command. Imports are local to each verb, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from plancton import __version__
from plancton.cli import bootstrap as bootstrap_verb
from plancton.cli import (
    config,
    dashboards,
    fleet,
    hosts,
    lifecycle,
    mode,
    pilots,
    queries,
    relay,
    simulate,
    tui,
)
from plancton.cli.hosts import HostOption
from plancton.cli.leading_options import (
    LeadingConfDir,
    LeadingConfig,
    LeadingLogDir,
    LeadingPidFile,
    LeadingRunDir,
    LeadingStateDir,
    UserOption,
    pass_on,
)
from plancton.cli.options import Json, Level, LogLevel, PidFile, with_paths

if TYPE_CHECKING:
    from plancton.service.process.paths import Paths

app = typer.Typer(
    help="Keep disposable pilot containers running on the idle CPU of this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
app.add_typer(config.app, name="config")
app.add_typer(dashboards.app, name="dashboards")
_VERBS = (
    *(tui.tui, tui.web, tui.demo),
    *(queries.status, queries.pilots, queries.why, queries.events, queries.logs, queries.health),
    *(queries.history, queries.ledger, fleet.fleet),
    *(lifecycle.start, lifecycle.stop, lifecycle.force_start, lifecycle.force_stop),
    *(mode.drain, mode.drain_stop, mode.resume, lifecycle.reload),
    *(pilots.kill, pilots.freeze, pilots.thaw, lifecycle.reap),
    bootstrap_verb.bootstrap,
    *(simulate.simulate, simulate.record),
)
for verb in _VERBS:
    # Else typer evaluates each annotation four times, which all verbs would wait for.
    verb.__annotations__ = get_type_hints(verb, include_extras=True)
    app.command(verb.__name__.replace("_", "-"))(verb)


def main() -> None:
    """Run the command; every failure is one line on stderr and an exit code."""
    from plancton.cli.errors import explain

    try:
        app(prog_name=Path(sys.argv[0]).name.replace("__main__.py", "plancton"))
    except Exception as error:
        code = explain(error)
        if code is None:
            raise
        sys.exit(code)


def bootstrap() -> None:
    """Run ``plancton bootstrap`` under the name it had in 0.6.0."""
    sys.argv[1:1] = ["bootstrap"]
    main()


def _version(value: bool) -> None:
    if value:
        typer.echo(f"plancton {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    host: HostOption = None,
    user: UserOption = False,
    config: LeadingConfig = None,
    confdir: LeadingConfDir = None,
    rundir: LeadingRunDir = None,
    logdir: LeadingLogDir = None,
    statedir: LeadingStateDir = None,
    pidfile: LeadingPidFile = None,
    version: Annotated[  # noqa: ARG001 (its callback answers)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    places = {"config": config, "confdir": confdir, "rundir": rundir, "logdir": logdir}
    pass_on(context, user=user, places={**places, "statedir": statedir, "pidfile": pidfile})
    if host:
        hosts.choose_hosts_for(context.invoked_subcommand or "", host)


@app.command()
@with_paths("config", "confdir", "rundir", "logdir", "statedir")
def serve(
    paths: Paths,
    log_level: LogLevel = Level.INFO,
    pidfile: PidFile = None,
    detached: Annotated[bool, typer.Option("--detached", hidden=True)] = False,
) -> None:
    """Run headless in the foreground, for systemd. Ctrl-C stops it and leaves the pilots.

    Example: plancton serve --config /etc/plancton/config.yaml
    """
    from plancton.service.assemble import locked_service
    from plancton.service.serve import serve as run

    paths = replace(paths, pidfile=pidfile)
    with locked_service(paths, log_level, detached=detached) as service:
        code = run(service)
    raise typer.Exit(code)


app.command("relay", hidden=True)(relay.relay)
app.command("tune", hidden=True)(bootstrap_verb.tune)


@app.command("help")
def help_(
    context: typer.Context,
    verb: Annotated[list[str] | None, typer.Argument(metavar="[VERB]", help="A verb.")] = None,
) -> None:
    """Show what Plancton, or one of its verbs, does and takes."""
    shown = context.find_root()
    for word in verb or ():
        command = getattr(shown.command, "commands", {}).get(word)
        if command is None:
            raise typer.BadParameter(f"there is no verb {' '.join(verb or ())}; see plancton help")
        shown = type(shown)(command, info_name=word, parent=shown)
    typer.echo(shown.get_help())


app.command("nodaemon", hidden=True, help="The same as serve; the name it had in 0.6.0.")(serve)


@app.command()
@with_paths("config", "confdir", "rundir")
def doctor(paths: Paths, json: Json = False) -> None:
    """Check Docker, rights, the idle class, image, time, disk, mounts, and say how to mend each."""
    from plancton.cli.doctor.node import check_node, report
    from plancton.cli.render import as_json
    from plancton.cli.terminal import say

    checks = check_node(paths)
    say(as_json(checks) if json else report(checks))
    raise typer.Exit(1 if any(check.verdict == "FAIL" for check in checks) else 0)
