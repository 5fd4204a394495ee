"""The local configuration file: where its text comes from, checked before it is replaced."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from plancton.config import legacy
from plancton.config.load import ConfigError, layered, load_text
from plancton.config.restrictions import widened_for
from plancton.config.schema import Allow, Config, Remote
from plancton.config.units import parse_duration
from plancton.config.write import without_credentials
from plancton.config.yaml_source import Problem, parse, read
from plancton.runtime.file_modes import GROUP, mode_of, write_new
from plancton.service.installer.options import Say, SetupOptions
from plancton.service.installer.remote_source import remote_from
from plancton.service.locked_instance import offline_config
from plancton.service.process.paths import Paths
from plancton.service.remote_config.fetch import Fetcher

HARMLESS = """\
# A harmless start: pilots that sleep. Replace them by your own.
pilots:
  - name: sleeper
    image: busybox:latest
    command: [/bin/sleep, "60"]
    memory: 16MiB
    network: none
"""


def checked_configuration(
    paths: Paths, options: SetupOptions, say: Say
) -> tuple[str | None, Config]:
    """Return the checked text of the local file (None: it stays), and what it means."""
    if options.harmless:
        return HARMLESS, load_text(HARMLESS, "").config
    if not options.source:
        _check_present(paths.config, say)
        return None, offline_config(paths)
    remote = remote_from(options)
    if remote is None:
        place = Path(options.source)
        place = place / "config.yaml" if place.is_dir() else place
        text = read(place)
        loaded = load_text(text, str(place))
        _say_warnings(loaded.warnings, say)
        return text, loaded.config
    say(f"fetching {without_credentials(remote.url)}")
    found = Fetcher().fetch(remote)
    text, name = (found.text if found else ""), without_credentials(remote.url)
    loaded = load_text(text, name)
    _say_warnings(loaded.warnings, say)
    if not options.follow:
        return text, loaded.config
    local = _local_file_following(
        remote, text, widened_for(loaded.config) if options.trust else Allow(), options
    )
    mine = parse(local, str(paths.config))
    try:
        both = layered(mine, parse(text, name), load_text(local, mine.file).config.allow)
    except ConfigError as error:
        hint = "--trust allows what it asks for today, --once takes it over as your own file"
        raise ConfigError(error.file, [*error.problems, Problem(hint)]) from None
    return local, both.config


def _local_file_following(remote: Remote, text: str, allow: Allow, options: SetupOptions) -> str:
    """Return the local file that follows *remote*."""
    source = parse(text, "remote")
    group: dict[str, Any] = remote.model_dump(mode="json", exclude_defaults=True)
    if legacy.is_legacy(source.values) and "updateconfig" in source.values:
        with suppress(ValueError):
            group["interval"] = max(1.0, parse_duration(source.values["updateconfig"]))
    values: dict[str, Any] = {"remote": group}
    allowed = allow.model_dump(mode="json", exclude_defaults=True)
    values |= {"allow": allowed} if allowed else {}
    head = (
        f"# Written by plancton bootstrap {without_credentials(options.source)}. What stands here\n"
        "# wins over what is fetched; allow: bounds what that may ask for.\n"
    )
    return head + yaml.safe_dump(values, sort_keys=False)


def _check_present(path: Path, say: Say) -> None:
    try:
        _say_warnings(load_text(read(path), str(path)).warnings, say)
        say(f"{path} stays as it is")
    except FileNotFoundError:
        say(f"no {path}: the built-in defaults are in force (busybox sleeping)")


def _say_warnings(warnings: tuple[str, ...], say: Say) -> None:
    for warning in warnings:
        say(f"warning: {warning}")


def replace_configuration(path: Path, text: str, say: Say) -> None:
    """Write the text, and keep the former one beside it."""
    with suppress(FileNotFoundError):
        if path.read_text(errors="replace") == text:
            say(f"{path} is up to date")
            return
        backup = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S')}")
        shutil.copy2(path, backup)
        say(f"kept the former configuration as {backup}")
    _write_at_once(path, text)
    say(f"wrote {path}")


def _write_at_once(path: Path, text: str) -> None:
    """Replace a file at one stroke, for its owner and group alone."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    write_new(new, text, mode_of(path, GROUP))
    new.replace(path)
