"""Several nodes at once: asked side by side; what fails on one hides none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import typer

from plancton.cli.errors import describe
from plancton.cli.hosts import chosen_hosts, transport_to
from plancton.cli.render import as_json, hosts_text
from plancton.cli.terminal import say, say_error
from plancton.control.ssh_host import SshHost
from plancton.engine.views.snapshot import Snapshot
from plancton.service.node import NodeClient, RemoteNode

T = TypeVar("T")
_MOST_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class HostResult(Generic[T]):
    """What came of asking one host."""

    host: SshHost
    answer: T | None
    error: str = ""
    """Why there is no answer."""


def show_status_of_all(rundir: Path | None, *, json: bool) -> None:
    """Show one line for each node."""
    results = list(_on_each_host(lambda node: node.engine.snapshot(), rundir))
    results.sort(key=lambda each: chosen_hosts().index(each.host))
    if json:
        say(as_json([_as_row(each) for each in results]))
    else:
        say(hosts_text([(str(each.host), each.answer, each.error) for each in results]))
    _exit_1_if_any_failed(results)


def _as_row(result: HostResult[Snapshot]) -> dict[str, object]:
    return {"host": str(result.host), "error": result.error, "status": result.answer}


def give_order_to_all(rundir: Path | None, ask: Callable[[NodeClient], str]) -> None:
    """Give an order to each node, and say what each answers as soon as it does."""
    results = []
    for each in _on_each_host(ask, rundir):
        results.append(each)
        tell = say_error if each.answer is None else say
        tell(f"{each.host}: {each.answer or each.error}")
    _exit_1_if_any_failed(results)


def _exit_1_if_any_failed(results: Sequence[HostResult[T]]) -> None:
    if any(each.error for each in results):
        raise typer.Exit(1)


def _on_each_host(ask: Callable[[RemoteNode], T], rundir: Path | None) -> Iterator[HostResult[T]]:
    """Ask all hosts and yield what comes of each, as it comes."""

    def result_of(host: SshHost) -> HostResult[T]:
        try:
            with closing(transport_to(host, rundir, batch=True)) as transport:
                return HostResult(host, ask(RemoteNode(transport)))
        except Exception as error:
            said = describe(error)
            if said is None:
                raise
            return HostResult(host, None, said[0].removeprefix(f"{host}: "))

    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        for done in as_completed([pool.submit(result_of, host) for host in chosen_hosts()]):
            yield done.result()
