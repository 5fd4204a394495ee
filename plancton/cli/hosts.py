"""Nodes that are other machines: ``--host``, the verbs that know it, and several at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from plancton.control.ssh_host import SshHost
    from plancton.control.ssh_transport import SshTransport

_REMOTE_VERBS = frozenset(
    {
        *("status", "pilots", "why", "events", "logs", "history", "ledger", "fleet", "health"),
        *("tui", "kill", "freeze", "thaw", "drain", "drain-stop", "resume", "reload", "stop"),
    }
)
"""Verbs that do all they do through the control socket."""
_MULTI_HOST_VERBS = frozenset({"status", "drain", "drain-stop", "resume"})
"""Verbs for several nodes at once."""
_RELAY = "relay"
"""The verb at the far end of ``--host``, which is always about its own machine."""
_PROMPT_TIMEOUT = 120.0
"""Seconds to answer what ssh asks."""

HostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        "-H",
        metavar="ADDRESS",
        envvar="PLANCTON_HOST",
        help="Another machine, ssh://[user@]host[:port]; several for status, drain and resume.",
    ),
]

_chosen: ContextVar[tuple[SshHost, ...]] = ContextVar("hosts", default=())


def chosen_hosts() -> tuple[SshHost, ...]:
    """Return the machines that were named; none: this one."""
    return _chosen.get()


def choose_hosts(addresses: Sequence[str]) -> tuple[SshHost, ...]:
    """Take the addresses of the machines that all that follows is about."""
    from plancton.control.ssh_host import SshHost

    try:
        hosts = tuple(dict.fromkeys(map(SshHost.parse, addresses)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--host") from None
    _chosen.set(hosts)
    return hosts


def choose_hosts_for(verb: str, addresses: Sequence[str]) -> None:
    """Take the addresses, if *verb* can be for those machines."""
    from plancton.engine.api import RefusedError

    hosts = choose_hosts(addresses if verb not in (_RELAY, "help") else ())
    if hosts and verb not in _REMOTE_VERBS:
        raise RefusedError(
            f"{verb} is about the machine it runs on: leave --host (PLANCTON_HOST) out, or run "
            f"it there: {hosts[0].login_command} plancton {verb}"
        )
    if len(hosts) > 1 and verb not in _MULTI_HOST_VERBS:
        raise RefusedError(f"{verb} is for one node at a time, and {len(hosts)} are named")


def transport_to(host: SshHost, rundir: Path | None, *, batch: bool = False) -> SshTransport:
    """Return the way to a host. ssh may ask things on a terminal, unless *batch*."""
    from plancton.control.ssh_transport import SshTransport

    if batch or not sys.stdin.isatty():
        return SshTransport(host, rundir)
    return SshTransport(host, rundir, batch=False, timeout=_PROMPT_TIMEOUT)
