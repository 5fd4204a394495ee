"""Verbs about the configuration."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plancton.cli.options import with_paths
from plancton.cli.terminal import say, say_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plancton.config.config_file import ConfigFile
    from plancton.config.effective import RuleStatus
    from plancton.config.load import Loaded
    from plancton.config.schema import Config, Profile, Spawn
    from plancton.config.yaml_source import Problem
    from plancton.service.process.paths import Paths

app = typer.Typer(
    help="Check, show and convert the configuration.", no_args_is_help=True, rich_markup_mode=None
)

File = Annotated[Path | None, typer.Argument(help="Configuration file; else the usual one.")]


@app.command()
@with_paths("config", "confdir", "rundir", "statedir")
def check(file: File = None, *, paths: Paths) -> None:
    """Say whether a file is good, with line and key of each problem, and what it means here."""
    from plancton.cli.expression_values import snapshot_of_engine, values_of_node
    from plancton.cli.network_warnings import network_warnings
    from plancton.config.evaluate import evaluate, names_for
    from plancton.config.yaml_source import ConfigError
    from plancton.engine.rules.quotas import why_held

    path = file or paths.config
    loaded, found = _loaded(path, must_exist=file is not None or paths.asked_for_config)
    snapshot = snapshot_of_engine(paths)
    found_wanting = (*(snapshot.unenforced if snapshot else ()), *network_warnings(loaded.config))
    missing = (*_missing_sources(loaded.config), *_missing_commands(loaded.config))
    refused = list(_refused_by_engine(loaded.config, paths))
    if refused:
        raise ConfigError(str(path), refused)
    for warning in (*loaded.warnings, *found_wanting, *missing):
        say_error(f"warning: {warning}")
    node, origin = values_of_node(paths, loaded.config, snapshot)
    names, found_here = names_for(loaded.config, node), evaluate(loaded.config, node)
    spawn = loaded.config.spawn
    say(f"{path}: {found}")
    for rule in loaded.rules:
        say(_rule(rule))
    say(f"spawn.maximum: {spawn.maximum.text} = {found_here.maximum} pilots on this node")
    if spawn.overcommit != "off":
        say(f"spawn.overcommit: {_overcommit(spawn)}")
    uncovered = _uncovered(loaded.config, found_here.maximum, int(names["ncpus"]))
    if uncovered:
        say(f"protect.latency: pilots roam, they never cover all cores: {uncovered}")
    for profile in loaded.config.pilots:
        if profile.maximum is not None:
            most = found_here.maxima[profile.name]
            say(f"maximum of {profile.name}: {profile.maximum.text} = {most}")
        if profile.most_cores > profile.cpus:
            host = snapshot.host if snapshot else None
            say(_cpu_limit(profile, why_held(host, spawn)))
    say(f"spawn.when: {spawn.when.text} = {str(found_here.when).lower()}")
    say(f"names, {origin}:")
    for name, value in names.items():
        say(f"  {name} = {value:.4g}" if value < 1e6 else f"  {name} = {value:.0f}")


def _cpu_limit(profile: Profile, why_held: str) -> str:
    """Say how many cores a profile's pilots may use, and why not here."""
    limit = profile.cpu_limit
    more = "all that are idle" if limit == "none" else f"idle ones up to {limit:g} in all"
    text = f"cpu_limit of {profile.name}: {profile.cpus:g} cores promised, and {more}"
    return f"{text}; not here: {why_held}" if why_held else text


def _uncovered(config: Config, maximum: int, ncpus: int) -> str:
    """Return what keeps pilots from covering all cores, though they are to; empty: nothing."""
    if config.protect.latency == "off":
        return ""
    if config.spawn.ceiling < 1 or config.spawn.reserve:
        return "spawn.ceiling or spawn.reserve keeps some free"
    most = maximum * max((ceil(profile.cpus) for profile in config.pilots), default=0)
    return f"spawn.maximum allows pilots on {most} of {ncpus}" if most < ncpus else ""


def _overcommit(spawn: Spawn) -> str:
    most = f"auto, up to {spawn.overcommit_limit:g}"
    times = most if spawn.overcommit == "auto" else f"{spawn.overcommit:g}"
    return f"{times} times the free cores are promised to pilots, in the idle class"


def _missing_sources(config: Config) -> Iterator[str]:
    """Yield what is wrong with the sources of binds on this node; the file may be of another."""
    if not any(profile.binds for profile in config.pilots):
        return  # and nothing is imported
    from plancton.runtime.docker.bind_sources import paths_of, trouble_of
    from plancton.runtime.path_probe import PathProbe, ProbeError

    probe = PathProbe()
    for profile in config.pilots:
        for source in paths_of(profile.binds):
            try:
                trouble = trouble_of(source, probe.look([source])[source])
            except ProbeError as error:
                trouble = str(error)
            if trouble:
                yield f"pilots[{profile.name}].binds: {trouble}"
    probe.close()


def _refused_by_engine(config: Config, paths: Paths) -> Iterator[Problem]:
    """Yield the keys that the container engine of this node cannot honour, each with why."""
    from plancton.config.schema.pilots import is_apptainers_own
    from plancton.config.yaml_source import Problem
    from plancton.runtime.apptainer.command import refusals

    concerned = [
        (f"pilots[{index}]", profile, list(refusals(profile)))
        for index, profile in enumerate(config.pilots)
    ]
    if not any(refused or is_apptainers_own(profile.image) for _, profile, refused in concerned):
        return  # and nothing is imported
    from plancton.service.container_engines import engine_url
    from plancton.service.container_engines.apptainer import SCHEME

    apptainer = engine_url(config.node, paths).startswith(SCHEME)
    for place, profile, refused in concerned:
        if apptainer:
            for refusal in refused:
                key, _, why = refusal.partition(": ")
                yield Problem(f"Apptainer: {why}", key=f"{place}.{key}")
        elif is_apptainers_own(profile.image):
            why = f"{profile.image} is for Apptainer; say node.engine: apptainer, or name another"
            yield Problem(why, key=f"{place}.image")


def _missing_commands(config: Config) -> Iterator[str]:
    """Yield the commands of objectives that cannot be run on this node."""
    import os

    for objective in config.protect.slo:
        program = Path(objective.command[0]) if objective.command else None
        if program and not (program.is_file() and os.access(program, os.X_OK)):
            wrong = "is not executable" if program.exists() else "is not there"
            yield f"protect.slo[{objective.name}].command: {program} {wrong}"


def _loaded(path: Path, *, must_exist: bool) -> tuple[Loaded, str]:
    """Return what the file says, and in words how it was found."""
    from plancton.config.load import Loaded, load
    from plancton.config.schema import Config

    try:
        loaded = load(path)
    except FileNotFoundError:
        if must_exist:
            raise
        return Loaded(Config()), "not there, so the built-in defaults are in force"
    return loaded, f"OK, {'0.6.0' if loaded.legacy else 'native'} form"


@app.command()
@with_paths("config", "confdir", "rundir", "statedir")
def diff(
    candidate: Annotated[
        Path | None, typer.Argument(help="A file that would take the local one's place.")
    ] = None,
    remote: Annotated[
        bool,
        typer.Option("--remote", help="Rather the remote one's; without a file it is fetched."),
    ] = False,
    *,
    paths: Paths,
) -> None:
    """Say what a configuration would change: each key, and what would be started and ended now.

    Examples: plancton config diff new.yaml; plancton config diff --remote
    """
    from plancton.config.config_file import ConfigFile
    from plancton.config.write import differences

    alone = ConfigFile(paths.config).first().config
    source = _over_kept_remote(paths, alone)
    now = source.first().config
    text = _candidate_text(candidate, alone, remote=remote)
    new = source.candidate(text, remote=remote)
    lines = [_change(*each) for each in differences(now, new)]
    say("\n".join(lines) if lines else "nothing would change")
    _show_preview(paths, text, remote=remote)


def _candidate_text(candidate: Path | None, alone: Config, *, remote: bool) -> str:
    """Return the text of the file that is named, or of the remote one as it is now."""
    from plancton.config.yaml_source import read
    from plancton.service.remote_config.fetch import Fetcher, FetchError

    if candidate is not None:
        return read(candidate)
    if not remote or not alone.remote.url:
        raise typer.BadParameter("name a file, or say --remote where remote.url is set")
    fetched = Fetcher().fetch(alone.remote)
    if fetched is None:  # else everything would seem to be removed
        raise FetchError("the remote configuration was not fetched")
    return fetched.text


def _show_preview(paths: Paths, text: str, *, remote: bool) -> None:
    from plancton.engine.errors import NotRunningError
    from plancton.service.node import LocalNode

    try:
        preview = LocalNode(paths).engine.preview(text, remote=remote)
    except NotRunningError:
        say("no engine runs: what it would do is not known")
        return
    say(f"at most {preview.maximum} pilots; now it would:")
    for each in preview.actions:
        say(f"  {each.does} {each.subject}: {each.text}")
    for reason in preview.findings:
        say(f"  nothing more: {reason}")


def _change(key: str, old: str, new: str) -> str:
    return f"{key}: {old or 'absent'} -> {new or 'absent'}"


@app.command()
@with_paths("config", "confdir", "statedir")
def show(
    file: File = None,
    origins: Annotated[
        bool, typer.Option("--origins", help="A line for each value, with what sets it.")
    ] = False,
    *,
    paths: Paths,
) -> None:
    """Print every value in force, defaults included, as YAML. Secrets are masked.

    What was last fetched of a remote configuration is in it, unless a FILE is named.
    """
    from plancton.config.config_file import ConfigFile
    from plancton.config.write import settings, to_yaml

    must_exist = file is not None or paths.asked_for_config
    state = ConfigFile(file or paths.config, must_exist=must_exist).first()
    if state.config.remote.url and file is None:
        state = _over_kept_remote(paths, state.config).first()
    for rule in state.rules:
        say(f"# {_rule(rule)}")
    say(f"# {state.source}")
    if origins:
        for each in settings(state):
            say(f"{each.key} = {each.value}  # {each.origin or 'built-in default'}")
        return
    say(to_yaml(state.config, mask=True).removesuffix("\n"))


def _rule(rule: RuleStatus) -> str:
    return f"{rule.name} {f'does not hold: {rule.unmet}' if rule.unmet else 'holds'}"


def _over_kept_remote(paths: Paths, alone: Config) -> ConfigFile:
    """Return the local file over the remote one as it was last fetched."""
    from plancton.config.config_file import ConfigFile
    from plancton.service.instance import instance_name
    from plancton.service.process.clock import SystemClock
    from plancton.service.remote_config.follow import RemoteConfigFollower

    kept = RemoteConfigFollower(paths.remote_config(instance_name(alone)), SystemClock())
    return ConfigFile(paths.config, remote=kept)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A configuration file of 0.6.0.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here.")] = None,
) -> None:
    """Translate a file of 0.6.0 into the native form.

    Example: plancton config convert old.yaml -o /etc/plancton/config.yaml
    """
    from plancton.config.load import load
    from plancton.config.write import to_yaml
    from plancton.runtime.file_modes import GROUP, opener

    loaded = load(file)
    for warning in loaded.warnings:
        say_error(f"warning: {warning}")
    text = f"# Translated from {file.name}.\n{to_yaml(loaded.config, changes_only=True)}"
    if output is None:
        typer.echo(text, nl=False)
        return
    # Never over an existing file; there may be secrets in it.
    with open(output, "x", opener=opener(GROUP)) as target:
        target.write(text)
    say(f"wrote {output}")


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the reference page.")] = False,
) -> None:
    """Print the JSON schema of the configuration."""
    import json

    from plancton.config.reference import json_schema, reference

    typer.echo(reference() if markdown else json.dumps(json_schema(), indent=2))
