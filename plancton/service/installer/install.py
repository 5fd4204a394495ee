"""Set a node up: a user, a configuration that was checked, and systemd's units. Repeatable."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
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
from plancton.control.server import GROUP
from plancton.engine.api import RefusedError
from plancton.runtime import fuse
from plancton.service import systemd
from plancton.service.assemble import in_force
from plancton.service.process.paths import Paths
from plancton.service.remote_config.fetch import Fetcher, write_text

HARMLESS = """\
# A harmless start: pilots that sleep. Replace them by your own.
pilots:
  - name: sleeper
    image: busybox:latest
    command: [/bin/sleep, "60"]
    memory: 16MiB
    network: none
"""
_GITHUB = re.compile(r"([\w.-]+/[\w.-]+?)(?:\.git)?(?::([\w./-]+))?")
_DROP_IN = "unprivileged.conf"
_DROP_INS = ("plancton.service.d", "plancton-reap.service.d")
_STARTED = (systemd.SERVICE, "plancton-reap.timer")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be set up."""

    source: str = ""
    """Where the configuration comes from; empty: it stays as it is."""
    harmless: bool = False
    follow: bool = True
    """Keep following a remote source; else its text becomes the local file."""
    trust: bool = False
    """Allow what the fetched configuration asks for today."""
    ca_file: str = ""
    allow_http: bool = False
    start: bool = True
    unprivileged: bool = False


def set_up(paths: Paths, wanted: Wanted, say: Say) -> None:
    """Do it, saying each step. ConfigError, FetchError, RefusedError before anything changed."""
    text, config = _configuration(paths, wanted, say)
    root = os.geteuid() == 0
    if root:
        _make_user(wanted, say)
    folders = (paths.config.parent, paths.statedir, paths.logdir)
    for folder in folders:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o750 if folder == paths.config.parent else 0o755)
            say(f"created {folder}")
    if text is not None:
        _put_configuration(paths.config, text, say)
    if root:
        _to_group(paths.config.parent)
        _to_group(paths.config)
    if root and any(fuse.is_used_by(profile) for profile in config.pilots):
        fuse.load_at_boot(say)
    if root and systemd.runs():
        _install_units(wanted, say)
    else:
        say(
            "next: plancton start (there is no systemd to do it)"
            if root
            else "next: plancton start"
        )


# --- the configuration ------------------------------------------------------------------


def remote_of(wanted: Wanted) -> Remote | None:
    """Return what the source means as a remote one; None: a file or a folder here."""
    source = wanted.source
    if Path(source).exists():
        return None
    if re.match(r"(git\+)?(https?|ssh|file)://", source):
        url = source
        if re.match(r"https?://[^#]+\.git(#|$)", url) or url.startswith(("ssh://", "file://")):
            url = f"git+{url}"
    elif found := re.fullmatch(r"([\w.-]+@[\w.-]+):(?!//)(\S+)", source):
        url = f"git+ssh://{found[1]}/{found[2]}"
    elif found := _GITHUB.fullmatch(source):
        url = f"git+https://github.com/{found[1]}.git" + (f"#{found[2]}" if found[2] else "")
    else:
        raise RefusedError(
            f"{source} is no file or folder here, and no USER/REPO[:BRANCH], git or https address"
        )
    values = {"url": url, "ca_file": wanted.ca_file, "allow_http": wanted.allow_http}
    try:
        return Remote.model_validate(values)
    except ValueError as error:
        words = str(error).partition("Value error, ")[2].partition(" [")[0]
        raise RefusedError(f"{without_credentials(url)}: {words or error}") from None


def _configuration(paths: Paths, wanted: Wanted, say: Say) -> tuple[str | None, Config]:
    """Return the checked text of the local file (None: it stays), and what it means."""
    if wanted.harmless:
        return HARMLESS, load_text(HARMLESS, "").config
    if not wanted.source:
        _check_present(paths.config, say)
        return None, in_force(paths)
    remote = remote_of(wanted)
    if remote is None:
        place = Path(wanted.source)
        place = place / "config.yaml" if place.is_dir() else place
        text = read(place)
        loaded = load_text(text, str(place))
        _told(loaded.warnings, say)
        return text, loaded.config
    say(f"fetching {without_credentials(remote.url)}")
    found = Fetcher().fetch(remote)
    text, name = (found.text if found else ""), without_credentials(remote.url)
    loaded = load_text(text, name)
    _told(loaded.warnings, say)
    if not wanted.follow:
        return text, loaded.config
    local = _local_part(
        remote, text, widened_for(loaded.config) if wanted.trust else Allow(), wanted
    )
    mine = parse(local, str(paths.config))
    try:
        both = layered(mine, parse(text, name), load_text(local, mine.file).config.allow)
    except ConfigError as error:
        hint = "--trust allows what it asks for today, --once takes it over as your own file"
        raise ConfigError(error.file, [*error.problems, Problem(hint)]) from None
    return local, both.config


def _local_part(remote: Remote, text: str, allow: Allow, wanted: Wanted) -> str:
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
        f"# Written by plancton bootstrap {without_credentials(wanted.source)}. What stands here\n"
        "# wins over what is fetched; allow: bounds what that may ask for.\n"
    )
    return head + yaml.safe_dump(values, sort_keys=False)


def _check_present(path: Path, say: Say) -> None:
    try:
        _told(load_text(read(path), str(path)).warnings, say)
        say(f"{path} stays as it is")
    except FileNotFoundError:
        say(f"no {path}: the built-in defaults are in force (busybox sleeping)")


def _told(warnings: tuple[str, ...], say: Say) -> None:
    for warning in warnings:
        say(f"warning: {warning}")


def _put_configuration(path: Path, text: str, say: Say) -> None:
    with suppress(FileNotFoundError):
        if path.read_text(errors="replace") == text:
            say(f"{path} is up to date")
            return
        backup = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%S')}")
        shutil.copy2(path, backup)
        say(f"kept the former configuration as {backup}")
    write_text(path, text)
    say(f"wrote {path}")


# --- the user ---------------------------------------------------------------------------


def _make_user(wanted: Wanted, say: Say) -> None:
    """Create user and group; members of the group may use the control socket."""
    try:
        pwd.getpwnam(GROUP)
    except KeyError:
        group = ("--gid", GROUP) if _has_group() else ("--user-group",)
        home = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
        _do("useradd", "--system", *group, *home, GROUP)
        say(f"created the user and group {GROUP}: members of the group may control Plancton")
    if wanted.unprivileged:
        _do("usermod", "--append", "--groups", "docker", GROUP)
        say(f"{GROUP} may use Docker")


def _has_group() -> bool:
    with suppress(KeyError):
        return bool(grp.getgrnam(GROUP))
    return False


def _to_group(path: Path) -> None:
    """Let the group read what may hold secrets, and nobody else."""
    with suppress(FileNotFoundError):
        os.chown(path, 0, grp.getgrnam(GROUP).gr_gid)
        path.chmod(0o750 if path.is_dir() else 0o640)


def _do(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RefusedError(
            f"{words[0]} is not installed (package passwd or shadow-utils)"
        ) from None
    if done.returncode:
        raise RefusedError(f"{words[0]}: {done.stderr.strip() or done.returncode}")


# --- systemd ----------------------------------------------------------------------------


def units() -> Iterator[tuple[Path, str]]:
    """Yield the place and the text of each unit, with the path of this very plancton."""
    program = str(Path(sys.executable).with_name("plancton"))
    for item in resources.files("plancton.service").joinpath("units").iterdir():
        text = item.read_text().replace("/usr/local/bin/plancton", program)
        if item.name == _DROP_IN:
            for folder in _DROP_INS:
                yield systemd.UNITS / folder / _DROP_IN, text
        else:
            yield systemd.UNITS / item.name, text


def _install_units(wanted: Wanted, say: Say) -> None:
    changed = False
    for place, text in units():
        if place.name == _DROP_IN and not wanted.unprivileged:
            changed |= place.exists()
            place.unlink(missing_ok=True)
        elif not place.exists() or place.read_text() != text:
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
            say(f"installed {place}")
            changed = True
    _systemctl("daemon-reload")
    if not wanted.start:
        say("next: systemctl enable --now plancton.service plancton-reap.timer")
        return
    running = systemd.call("is-active", systemd.SERVICE) == ""
    _systemctl("enable", "--now", *_STARTED)
    if running and changed:
        _systemctl("restart", systemd.SERVICE)
    elif running:
        _systemctl("reload", systemd.SERVICE)
    say("enabled and started plancton.service and plancton-reap.timer")


def _systemctl(*words: str) -> None:
    wrong = systemd.call(*words)
    if wrong:
        raise RefusedError(f"systemctl {' '.join(words)}: {wrong}; see journalctl -u plancton")


def tear_down(paths: Paths, say: Say, *, purge: bool) -> None:
    """Stop the service and remove its units; with *purge* also what it kept and its user."""
    fuse.remove_module_file(say)
    if os.geteuid() == 0 and systemd.runs():
        present = [place for place, _ in units() if place.exists()]
        for name in _STARTED:
            if (systemd.UNITS / name).exists():
                _systemctl("disable", "--now", name)
        for place in present:
            place.unlink()
            say(f"removed {place}")
            if place.parent != systemd.UNITS:
                with suppress(OSError):
                    place.parent.rmdir()
        _systemctl("daemon-reload")
    if not purge:
        say(f"{paths.config.parent}, {paths.statedir}, {paths.logdir} stay; --purge removes them")
        return
    for folder in (paths.config.parent, paths.statedir, paths.logdir, paths.rundir):
        if folder.exists():
            shutil.rmtree(folder)
            say(f"removed {folder}")
    if os.geteuid() == 0:
        with suppress(KeyError):
            pwd.getpwnam(GROUP)
            _do("userdel", GROUP)
            say(f"removed the user {GROUP}")
