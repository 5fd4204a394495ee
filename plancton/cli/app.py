"""The ``plancton`` command. Imports are local to each verb, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plancton import __version__
from plancton.cli import config as config_verbs
from plancton.cli import simulate
from plancton.cli.options import (
    ConfDir,
    ConfigOption,
    Json,
    Level,
    LogDir,
    LogLevel,
    RunDir,
    StateDir,
    handle_of,
    paths_of,
)

if TYPE_CHECKING:
    from plancton.service.paths import Paths

app = typer.Typer(
    help="Keep disposable pilot containers running on the idle CPU of this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
app.add_typer(config_verbs.app, name="config")
for verb in (simulate.simulate, simulate.record, simulate.demo):
    app.command()(verb)


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


def _version(value: bool) -> None:
    if value:
        typer.echo(f"plancton {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    logdir: LogDir = None,
    statedir: StateDir = None,
    log_level: LogLevel = Level.INFO,
) -> None:
    """Run headless in the foreground, for systemd. Ctrl-C stops it and leaves the pilots.

    Example: plancton serve --config /etc/plancton/config.yaml
    """
    from plancton.service.assemble import locked_assembly
    from plancton.service.serve import serve as run

    paths = paths_of(config, confdir, rundir, logdir, statedir)
    with locked_assembly(paths, log_level) as parts:
        code = run(parts)
    raise typer.Exit(code)


app.command("nodaemon", hidden=True, help="The same as serve; the name it had in 0.6.0.")(serve)


@app.command()
def status(rundir: RunDir = None, json: Json = False) -> None:
    """Show the node: mode, protection, CPU, pilots, and why nothing more is done."""
    from plancton.cli.render import as_json, status_text

    snapshot = handle_of(rundir).snapshot()
    typer.echo(as_json(snapshot) if json else status_text(snapshot))


@app.command()
def pilots(rundir: RunDir = None, json: Json = False) -> None:
    """List the pilots of this node."""
    from plancton.cli.render import as_json, pilots_text

    snapshot = handle_of(rundir).snapshot()
    typer.echo(as_json(snapshot.pilots) if json else pilots_text(snapshot))


@app.command()
def why(rundir: RunDir = None, json: Json = False) -> None:
    """Say why pilots are, or are not, started and ended: now, and the last 100 decisions."""
    from plancton.cli.render import as_json, why_text

    snapshot = handle_of(rundir).snapshot()
    parts = {"now": snapshot.findings, "decisions": snapshot.decisions, "ended": snapshot.ended}
    typer.echo(as_json(parts) if json else why_text(snapshot))


@app.command()
def ledger(rundir: RunDir = None, json: Json = False) -> None:
    """Show what was lent and what it cost: harvested, missed and why, evictions, work lost."""
    from plancton.cli.render import as_json, ledger_text

    snapshot = handle_of(rundir).snapshot()
    typer.echo(as_json(snapshot.ledger) if json else ledger_text(snapshot.ledger))


@app.command()
def drain(rundir: RunDir = None) -> None:
    """Start no new pilots; those running go on to their end. Undo with resume."""
    _order("draining", rundir, "no new pilots are started; plancton resume undoes it")


@app.command("drain-stop")
def drain_stop(rundir: RunDir = None) -> None:
    """Start no new pilots, and end Plancton when the last one has gone."""
    _order("stopping", rundir, "no new pilots are started; Plancton ends when the last has gone")


@app.command()
def resume(rundir: RunDir = None) -> None:
    """Take drain, drain-stop and force-stop back."""
    _order("active", rundir, "pilots are started again")


@app.command("force-stop")
def force_stop(
    config: ConfigOption = None,
    confdir: ConfDir = None,
    rundir: RunDir = None,
    statedir: StateDir = None,
) -> None:
    """Kill all pilots at once, then end Plancton. Works without a running engine too."""
    handle = handle_of(rundir)
    if handle.pid:
        _order("forced", rundir, "the pilots are killed, then Plancton ends")
    else:
        _reap("forced", paths_of(config, confdir, rundir, None, statedir))


@app.command()
def reload(rundir: RunDir = None) -> None:
    """Read the configuration again now (a changed file is noticed without it)."""
    handle_of(rundir).reload()
    typer.echo("asked the engine to read its configuration; see plancton status")


@app.command()
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
    pid = handle_of(rundir).pid
    if pid:
        typer.echo(f"nothing to do: the engine (process {pid}) runs and does it")
        return
    paths = paths_of(config, confdir, rundir, None, statedir)
    _reap("ending" if everything else "draining", paths)


@app.command()
def doctor(
    config: ConfigOption = None, confdir: ConfDir = None, rundir: RunDir = None, json: Json = False
) -> None:
    """Check Docker, rights, the idle class, image, time and disk, and say how to mend each."""
    from plancton.cli.doctor import examine, report
    from plancton.cli.render import as_json

    checks = examine(paths_of(config, confdir, rundir))
    typer.echo(as_json(checks) if json else report(checks))
    raise typer.Exit(1 if any(check.verdict == "FAIL" for check in checks) else 0)


def _order(mode: str, rundir: Path | None, done: str) -> None:
    from plancton.engine.model import Mode

    handle = handle_of(rundir)
    running = handle.pid is not None
    handle.order(Mode(mode))
    later = "" if running else " (no engine runs: kept for the next start)"
    typer.echo(f"{Mode(mode).value}: {done}{later}")


def _reap(mode: str, paths: Paths) -> None:
    from plancton.engine.model import Mode
    from plancton.service.reap import reap_all

    ended, left = reap_all(paths, Mode(mode))
    typer.echo(f"{ended} pilots ended and removed, {left} left to their time to live")
