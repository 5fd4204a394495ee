"""The verb that sets a node up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import with_paths
from plancton.cli.terminal import say

if TYPE_CHECKING:
    from plancton.service.process.paths import Paths

_STOP_TIMEOUT = 120.0

Source = Annotated[
    str,
    typer.Argument(
        metavar="[SOURCE]",
        help="USER/REPO[:BRANCH] on GitHub, a git or HTTPS address, a file or a folder.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dryrun", help="Install a harmless configuration: pilots that sleep.")
]
Once = Annotated[bool, typer.Option("--once", help="Copy a remote source instead of following it.")]
Trust = Annotated[bool, typer.Option("--trust", help="Allow what a remote source asks for today.")]
CaFile = Annotated[str, typer.Option(help="Certificates to check an HTTPS source by.")]
AllowHttp = Annotated[bool, typer.Option(help="Accept http:// as a source.")]
NoStart = Annotated[bool, typer.Option("--no-start", help="Only install.")]
Unprivileged = Annotated[
    bool, typer.Option("--unprivileged", help="Run as the user plancton instead of root.")
]
Tune = Annotated[
    bool,
    typer.Option(
        "--tune",
        help="At each boot, let the kernel search all cores for an idle one (NO_SIS_UTIL).",
    ),
]
Uninstall = Annotated[
    bool, typer.Option("--uninstall", help="Stop Plancton, end its pilots, remove its units.")
]
Purge = Annotated[
    bool, typer.Option("--purge", help="With --uninstall: configuration, logs and user too.")
]


@with_paths("rundir", "statedir")
def bootstrap(
    source: Source = "",
    dryrun: DryRun = False,
    once: Once = False,
    trust: Trust = False,
    ca_file: CaFile = "",
    allow_http: AllowHttp = False,
    no_start: NoStart = False,
    unprivileged: Unprivileged = False,
    tune: Tune = False,
    uninstall: Uninstall = False,
    purge: Purge = False,
    *,
    paths: Paths,
) -> None:
    """Set this node up: user, directories, configuration, systemd units. May be repeated.

    As root for the machine, as a user for yourself. The configuration is checked before anything
    is replaced, and what is replaced is kept. A remote source is followed from then on.

    Examples: plancton bootstrap lab/plancton-conf:main; plancton bootstrap --dryrun;
    plancton bootstrap https://conf.example/plancton.yaml --ca-file /etc/ssl/lab.pem
    """
    from plancton.service.installer.options import SetupOptions
    from plancton.service.installer.set_up import set_up

    if uninstall:
        if tune:
            raise typer.BadParameter("--uninstall takes --tune back; leave one of them out")
        _uninstall(paths, purge=purge)
        return
    _refuse_contradictions(source, dryrun=dryrun, purge=purge)
    wanted = SetupOptions(
        source,
        harmless=dryrun,
        follow=not once,
        trust=trust,
        ca_file=ca_file,
        allow_http=allow_http,
        start=not no_start,
        unprivileged=unprivileged,
        tune=tune,
    )
    set_up(paths, wanted, say)


def tune(
    undo: Annotated[bool, typer.Option("--undo", help="Limit the search again.")] = False,
) -> None:
    """Lift the kernel's limit on the search for an idle core; what plancton-tune.service runs."""
    from plancton.engine.errors import RefusedError
    from plancton.runtime import idle_core_search
    from plancton.runtime.idle_core_search import Search

    found = idle_core_search.set_limit(limited=undo)
    if found.search is Search.UNKNOWN:
        raise RefusedError("; ".join(filter(None, (found.why, found.mend))))
    say(found.sentence)


def _refuse_contradictions(source: str, *, dryrun: bool, purge: bool) -> None:
    if purge:
        raise typer.BadParameter("--purge goes with --uninstall")
    if dryrun and source:
        raise typer.BadParameter("--dryrun takes the place of a source")


def _uninstall(paths: Paths, *, purge: bool) -> None:
    from plancton.engine.model.operator import Mode
    from plancton.service.installer.tear_down import tear_down
    from plancton.service.node import LocalNode
    from plancton.service.reap import reap_all

    node = LocalNode(paths)
    if node.pid:
        node.set_mode(Mode.FORCED)
        node.wait_for(lambda snapshot: snapshot is None, _STOP_TIMEOUT)
    else:
        reap_all(paths, Mode.FORCED)
    say("ended Plancton and all its pilots")
    tear_down(paths, say, purge=purge)
