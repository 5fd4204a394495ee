"""Verbs that only read: of the node, its pilots, its reasons and its log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from plancton.cli.options import Json, PilotName, RunDir, node_of
from plancton.cli.terminal import say, say_error, write_output


class Span(StrEnum):
    """How far back the history goes: in steps of 5 seconds, a minute, or 5 minutes."""

    MINUTES = "5m"
    HOUR = "1h"
    DAY = "1d"


def status(rundir: RunDir = None, json: Json = False) -> None:
    """Show the node: mode, protection, CPU, pilots, and why nothing more is done.

    Of several nodes (--host) one line each; the exit code is 1 if any of them did not answer.

    Example: plancton status --json | jq .load
    """
    from plancton.cli.hosts import chosen_hosts
    from plancton.cli.render import as_json, status_text

    if len(chosen_hosts()) > 1:
        from plancton.cli.multi_host import show_status_of_all

        show_status_of_all(rundir, json=json)
        return
    snapshot = node_of(rundir).engine.snapshot()
    say(as_json(snapshot) if json else status_text(snapshot))


def pilots(rundir: RunDir = None, json: Json = False) -> None:
    """List the pilots of this node."""
    from plancton.cli.render import as_json, pilots_text

    snapshot = node_of(rundir).engine.snapshot()
    say(as_json(snapshot.pilots) if json else pilots_text(snapshot))


def why(rundir: RunDir = None, json: Json = False) -> None:
    """Say why pilots are, or are not, started and ended: now, and the last 100 decisions."""
    from plancton.cli.render import as_json, why_text

    snapshot = node_of(rundir).engine.snapshot()
    parts = {"now": snapshot.findings, "decisions": snapshot.decisions, "ended": snapshot.ended}
    say(as_json(parts) if json else why_text(snapshot))


def history(
    rundir: RunDir = None,
    span: Annotated[Span, typer.Option(help="How far back: 5m, 1h or 1d.")] = Span.HOUR,
    json: Json = False,
) -> None:
    """Show the node's own past: means of cores, pilots, load, memory and disk. Needs no database.

    Example: plancton history --span 1d
    """
    from plancton.cli.render import as_json, history_text
    from plancton.engine.records.history import METRICS

    rows = node_of(rundir).engine.history().levels[list(Span).index(span)]
    named = [{"at": row.at, **dict(zip(METRICS, row.values, strict=True))} for row in rows]
    say(as_json(named) if json else history_text(rows))


def ledger(rundir: RunDir = None, json: Json = False) -> None:
    """Show what was lent and what it cost: harvested, missed and why, evictions, work lost."""
    from plancton.cli.render import as_json, ledger_text

    snapshot = node_of(rundir).engine.snapshot()
    say(as_json(snapshot.ledger) if json else ledger_text(snapshot.ledger))


def logs(
    pilot: PilotName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what it writes.")
    ] = False,
    tail: Annotated[
        int, typer.Option("--tail", "-n", min=0, max=999_999, help="Lines before.")
    ] = 100,
    rundir: RunDir = None,
) -> None:
    """Show what a pilot wrote; of one that has ended, the last lines that were kept.

    Example: plancton logs -f plancton-worker-k3x9qa
    """
    from plancton.engine.api import RefusedError

    engine = node_of(rundir).engine
    try:
        write_output(engine.logs(pilot, tail=tail, follow=follow))
    except RefusedError:
        for ended in reversed(engine.snapshot().ended):
            if pilot == ended.name or ended.id.startswith(pilot):
                say(ended.log.removesuffix("\n"))
                return
        raise
    except KeyboardInterrupt:
        return


def events(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens.")
    ] = False,
    rundir: RunDir = None,
    json: Json = False,
) -> None:
    """Show what happened of late, one line an event.

    Example: plancton events -f
    """
    from plancton.cli.render import as_json, event_text
    from plancton.engine.api import LogRecord, Lost

    engine = node_of(rundir).engine
    for event in engine.snapshot().events:
        say(as_json(event, indent=None) if json else event_text(event.wall, event.text))
    if not follow:
        return
    try:
        for item in engine.stream():
            if isinstance(item, LogRecord):
                details = " ".join(f"{key}={value}" for key, value in item.fields.items())
                line = event_text(item.wall, f"{item.text} {details}".rstrip())
                say(as_json(item, indent=None) if json else line)
            elif isinstance(item, Lost):
                typer.echo(f"({item.records} events were lost: this reader is slow)", err=True)
    except KeyboardInterrupt:
        return


def health(rundir: RunDir = None) -> None:
    """Say whether the engine is well: exit code 0, 1 if it hangs, 3 if none runs.

    For health checks of containers and monitoring.
    """
    from plancton.engine.api import NotRunningError

    node = node_of(rundir)
    wrong = node.engine.health()
    if wrong and not node.observe()[0]:
        raise NotRunningError(wrong)
    (say_error if wrong else say)(wrong or "the engine ticks")
    raise typer.Exit(1 if wrong else 0)
