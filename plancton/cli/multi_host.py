"""Several nodes at once: asked side by side; what fails on one hides none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import typer

from plancton.cli.errors import words
from plancton.cli.hosts import named, transport_to
from plancton.cli.render import as_json, hosts_text
from plancton.cli.terminal import say
from plancton.control.ssh_host import SshHost
from plancton.engine.views.snapshot import Snapshot
from plancton.service.node import NodeClient, RemoteNode

T = TypeVar("T")
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class HostResult(Generic[T]):
    """What came of asking one host."""

    host: SshHost
    answer: T | None
    error: str = ""
    """Why there is no answer."""


def status(rundir: Path | None, *, json: bool) -> None:
    """Show one line for each node."""
    came = list(_ask(lambda node: node.engine.snapshot(), rundir))
    came.sort(key=lambda each: named().index(each.host))
    if json:
        say(as_json([_plain(each) for each in came]))
    else:
        say(hosts_text([(str(each.host), each.answer, each.error) for each in came]))
    _end(came)


def _plain(came: HostResult[Snapshot]) -> dict[str, object]:
    return {"host": str(came.host), "error": came.error, "status": came.answer}


def order(rundir: Path | None, ask: Callable[[NodeClient], str]) -> None:
    """Give an order to each node, and say what each answers as soon as it does."""
    came = []
    for each in _ask(ask, rundir):
        came.append(each)
        typer.echo(f"{each.host}: {each.answer or each.error}", err=each.answer is None)
    _end(came)


def _end(came: Sequence[HostResult[T]]) -> None:
    if any(each.error for each in came):
        raise typer.Exit(1)


def _ask(ask: Callable[[RemoteNode], T], rundir: Path | None) -> Iterator[HostResult[T]]:
    """Ask all hosts and yield what comes of each, as it comes."""

    def one(host: SshHost) -> HostResult[T]:
        try:
            with closing(transport_to(host, rundir, batch=True)) as transport:
                return HostResult(host, ask(RemoteNode(transport)))
        except Exception as error:
            said = words(error)
            if said is None:
                raise
            return HostResult(host, None, said[0].removeprefix(f"{host}: "))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in as_completed([pool.submit(one, host) for host in named()]):
            yield done.result()
