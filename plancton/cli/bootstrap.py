"""The verb that sets a node up."""

from __future__ import annotations

from typing import Annotated

import typer

from plancton.cli.options import RunDir, StateDir, paths_of
from plancton.cli.terminal import say


def bootstrap(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[SOURCE]",
            help="USER/REPO[:BRANCH] on GitHub, a git or HTTPS address, a file or a folder.",
        ),
    ] = "",
    dryrun: Annotated[
        bool, typer.Option("--dryrun", help="Install a harmless configuration: pilots that sleep.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Copy a remote source instead of following it.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Allow what a remote source asks for today.")
    ] = False,
    ca_file: Annotated[str, typer.Option(help="Certificates to check an HTTPS source by.")] = "",
    allow_http: Annotated[bool, typer.Option(help="Accept http:// as a source.")] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Only install.")] = False,
    unprivileged: Annotated[
        bool, typer.Option("--unprivileged", help="Run as the user plancton instead of root.")
    ] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", help="Stop Plancton, end its pilots, remove its units.")
    ] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="With --uninstall: configuration, logs and user too.")
    ] = False,
    rundir: RunDir = None,
    statedir: StateDir = None,
) -> None:
    """Set this node up: user, directories, configuration, systemd units. May be repeated.

    As root for the machine, as a user for yourself. The configuration is checked before anything
    is replaced, and what is replaced is kept. A remote source is followed from then on.

    Examples: plancton bootstrap lab/plancton-conf:main; plancton bootstrap --dryrun;
    plancton bootstrap https://conf.example/plancton.yaml --ca-file /etc/ssl/lab.pem
    """
    from plancton.service.installer.options import SetupOptions
    from plancton.service.installer.set_up import set_up
    from plancton.service.installer.tear_down import tear_down

    paths = paths_of(rundir=rundir, statedir=statedir)
    if uninstall:
        from plancton.engine.model.operator import Mode
        from plancton.service.node import LocalNode
        from plancton.service.reap import reap_all

        node = LocalNode(paths)
        if node.pid:
            node.order(Mode.FORCED)
            node.watch(lambda seen: seen is None, 120)
        else:
            reap_all(paths, Mode.FORCED)
        say("ended Plancton and all its pilots")
        tear_down(paths, say, purge=purge)
        return
    if purge:
        raise typer.BadParameter("--purge goes with --uninstall")
    if dryrun and source:
        raise typer.BadParameter("--dryrun takes the place of a source")
    options = SetupOptions(
        source=source,
        harmless=dryrun,
        follow=not once,
        trust=trust,
        ca_file=ca_file,
        allow_http=allow_http,
        start=not no_start,
        unprivileged=unprivileged,
    )
    set_up(paths, options, say)
