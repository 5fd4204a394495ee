"""Plancton's units of systemd: installed, started, and removed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path

from plancton.engine.api import RefusedError
from plancton.runtime.file_modes import PUBLIC, PUBLIC_FOLDER, make_folder, write_new
from plancton.service import systemd
from plancton.service.installer.options import Say, SetupOptions

_DROP_IN = "unprivileged.conf"
_DROP_INS = ("plancton.service.d", "plancton-reap.service.d")
_STARTED = (systemd.SERVICE, "plancton-reap.timer")


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
        elif not place.exists() or place.read_text() != text:
            make_folder(place.parent, PUBLIC_FOLDER)
            write_new(place, text, PUBLIC)
            say(f"installed {place}")
            changed = True
    _systemctl("daemon-reload")
    if not options.start:
        say("next: systemctl enable --now plancton.service plancton-reap.timer")
        return
    running = systemd.systemctl("is-active", systemd.SERVICE) == ""
    _systemctl("enable", "--now", *_STARTED)
    if running and changed:
        _systemctl("restart", systemd.SERVICE)
    elif running:
        _systemctl("reload", systemd.SERVICE)
    say("enabled and started plancton.service and plancton-reap.timer")


def _systemctl(*words: str) -> None:
    error = systemd.systemctl(*words)
    if error:
        raise RefusedError(f"systemctl {' '.join(words)}: {error}; see journalctl -u plancton")


def remove(say: Say) -> None:
    """Stop the service and remove its units."""
    present = [place for place, _ in unit_files() if place.exists()]
    for name in _STARTED:
        if (systemd.UNIT_FOLDER / name).exists():
            _systemctl("disable", "--now", name)
    for place in present:
        place.unlink()
        say(f"removed {place}")
        if place.parent != systemd.UNIT_FOLDER:
            with suppress(OSError):
                place.parent.rmdir()
    _systemctl("daemon-reload")
