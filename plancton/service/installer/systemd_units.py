"""Plancton's units of systemd: installed, started, and removed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path

from plancton.engine.api import RefusedError
from plancton.runtime import idle_core_search
from plancton.runtime.file_modes import PUBLIC, PUBLIC_FOLDER, make_folder, write_new
from plancton.runtime.idle_core_search import Search
from plancton.service import systemd
from plancton.service.installer.options import Say, SetupOptions

_DROP_IN = "unprivileged.conf"
_DROP_INS = ("plancton.service.d", "plancton-reap.service.d")
_STARTED = (systemd.SERVICE, "plancton-reap.timer")
_TUNE = "plancton-tune.service"


def unit_files() -> Iterator[tuple[Path, str]]:
    """Yield the place and the text of each unit, with the path of this very plancton."""
    program = str(Path(sys.executable).with_name("plancton"))
    for item in resources.files("plancton.service").joinpath("units").iterdir():
        text = item.read_text().replace("/usr/local/bin/plancton", program)
        if item.name == _DROP_IN:
            for folder in _DROP_INS:
                yield systemd.UNIT_FOLDER / folder / _DROP_IN, text
        else:
            yield systemd.UNIT_FOLDER / item.name, text


def install(options: SetupOptions, say: Say) -> None:
    """Write what differs, and have systemd run it."""
    changed = False
    for place, text in unit_files():
        if place.name == _DROP_IN and not options.unprivileged:
            changed |= place.exists()
            place.unlink(missing_ok=True)
        elif place.name == _TUNE and not (options.tune or place.exists()):
            continue  # only on request; once there, it stays
        elif not place.exists() or place.read_text() != text:
            make_folder(place.parent, PUBLIC_FOLDER)
            write_new(place, text, PUBLIC)
            say(f"installed {place}")
            changed |= place.name != _TUNE
    _systemctl("daemon-reload")
    started = (*_STARTED, _TUNE) if options.tune else _STARTED
    if not options.start:
        say(f"next: systemctl enable --now {' '.join(started)}")
        return
    running = systemd.systemctl("is-active", systemd.SERVICE) == ""
    _systemctl("enable", "--now", *_STARTED)
    if running and changed:
        _systemctl("restart", systemd.SERVICE)
    elif running:
        _systemctl("reload", systemd.SERVICE)
    say("enabled and started plancton.service and plancton-reap.timer")
    if options.tune:
        _tune(say)


def _tune(say: Say) -> None:
    """Have the kernel tuned now and at each boot, and say what came of it."""
    _systemctl("enable", _TUNE)
    error = systemd.systemctl("restart", _TUNE)
    found = idle_core_search.look()
    if found.search is Search.FULL:
        say(f"enabled {_TUNE}: {found.sentence}")
        return
    say(f"warning: {_TUNE} is enabled, but changes nothing now: {found.sentence}")
    if error and found.search is not Search.UNKNOWN:
        say(f"warning: {error}; see journalctl -u {_TUNE}")


def _systemctl(*words: str) -> None:
    error = systemd.systemctl(*words)
    if error:
        raise RefusedError(f"systemctl {' '.join(words)}: {error}; see journalctl -u plancton")


def remove(say: Say) -> None:
    """Stop the service, take back what was tuned, and remove the units."""
    present = [place for place, _ in unit_files() if place.exists()]
    for name in (*_STARTED, _TUNE):
        if (systemd.UNIT_FOLDER / name).exists():
            _systemctl("disable", "--now", name)
    if systemd.UNIT_FOLDER / _TUNE in present:
        say(f"stopped {_TUNE}: {idle_core_search.look().sentence}")
    for place in present:
        place.unlink()
        say(f"removed {place}")
        if place.parent != systemd.UNIT_FOLDER:
            with suppress(OSError):
                place.parent.rmdir()
    _systemctl("daemon-reload")
