"""What a source means, and what the units say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from plancton.engine.errors import RefusedError
from plancton.runtime import idle_core_search
from plancton.runtime.idle_core_search import Found, Search
from plancton.service import systemd
from plancton.service.installer import systemd_units
from plancton.service.installer.options import SetupOptions
from plancton.service.installer.remote_source import remote_from
from plancton.service.installer.set_up import set_up
from plancton.service.installer.systemd_units import unit_files
from plancton.service.process.paths import Paths


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("lab/plancton-conf", "git+https://github.com/lab/plancton-conf.git"),
        ("lab/conf:night", "git+https://github.com/lab/conf.git#night"),
        ("lab/conf.git", "git+https://github.com/lab/conf.git"),
        ("https://x.example/conf.git", "git+https://x.example/conf.git"),
        ("https://x.example/conf.git#b", "git+https://x.example/conf.git#b"),
        ("https://x.example/c.yaml", "https://x.example/c.yaml"),
        ("git@x.example:lab/conf.git", "git+ssh://git@x.example/lab/conf.git"),
        ("ssh://git@x.example/c", "git+ssh://git@x.example/c"),
        ("file:///srv/conf", "git+file:///srv/conf"),
        ("git+https://x.example/c", "git+https://x.example/c"),
    ],
)
def test_what_a_source_means(source: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git and 0.6.0 write it."""
    monkeypatch.chdir("/")
    remote = remote_from(SetupOptions(source))
    assert remote
    assert remote.url == url


def test_units_name_this_very_program() -> None:
    """With its absolute path, in every unit that runs it."""
    installed = {place.name: text for place, text in unit_files()}
    program = str(Path(sys.executable).with_name("plancton"))
    assert f"ExecStart={program} serve\n" in installed["plancton.service"]
    assert f"ExecStart={program} reap\n" in installed["plancton-reap.service"]
    assert "CPUWeight=idle" in installed["plancton.slice"]
    assert "/usr/local/bin" not in "".join(installed.values())
    assert set(installed) == {
        *("plancton.service", "plancton.slice", "plancton-reap.service", "plancton-reap.timer"),
        *("unprivileged.conf", "plancton-tune.service"),
    }
    assert f"ExecStop={program} tune --undo\n" in installed["plancton-tune.service"]


class Systemd:
    """A systemd that notes what it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin with nothing installed."""
        self.told: list[str] = []
        self.said: list[str] = []
        self.fails: dict[str, str] = {}
        self.found = Found(Search.FULL)
        self.tune = folder / "plancton-tune.service"
        monkeypatch.setattr(systemd, "UNIT_FOLDER", folder)
        monkeypatch.setattr(systemd, "systemctl", self._systemctl)
        monkeypatch.setattr(idle_core_search, "look", lambda: self.found)

    def _systemctl(self, *words: str) -> str:
        self.told.append(" ".join(words))
        return self.fails.get(self.told[-1], "")

    def bootstrap(self, **options: bool) -> str:
        """Return what the installation says."""
        self.said.clear()
        systemd_units.install(SetupOptions(**options), self.said.append)  # type: ignore[arg-type]
        return "\n".join(self.said)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """Return a machine with systemd."""
    return Systemd(tmp_path, monkeypatch)


def test_the_kernel_is_tuned_on_request_alone(machine: Systemd) -> None:
    """Without --tune there is no unit; once there, it stays, and an uninstall takes it back."""
    machine.bootstrap()
    assert not machine.tune.exists()
    assert not any("tune" in words for words in machine.told)
    machine.told.clear()
    said = machine.bootstrap(tune=True)
    assert "enabled plancton-tune.service: the kernel looks at all cores" in said
    assert machine.told[-2:] == [
        "enable plancton-tune.service",
        "restart plancton-tune.service",
    ]
    assert "restart plancton.service" not in machine.told
    machine.told.clear()
    machine.bootstrap()
    assert machine.tune.exists()
    assert not any("tune" in words for words in machine.told)
    machine.found = Found(Search.LIMITED)
    machine.said.clear()
    systemd_units.remove(machine.said.append)
    assert "disable --now plancton-tune.service" in machine.told
    assert "stopped plancton-tune.service: on a busy machine" in machine.said[0]
    assert not machine.tune.exists()


def test_without_a_start_nothing_is_tuned(machine: Systemd) -> None:
    """The next step names the unit."""
    said = machine.bootstrap(tune=True, start=False)
    assert "plancton-reap.timer plancton-tune.service" in said
    assert machine.told == ["daemon-reload"]


@pytest.mark.parametrize("search", [Search.UNKNOWN, Search.NO_FEATURE, Search.LIMITED])
def test_a_kernel_that_cannot_be_tuned_is_a_warning(machine: Systemd, search: Search) -> None:
    """The installation goes on, and says why."""
    machine.found = Found(search, "the kernel is locked down")
    machine.fails["restart plancton-tune.service"] = "it failed"
    said = machine.bootstrap(tune=True)
    assert "warning: plancton-tune.service is enabled, but changes nothing now: " in said
    assert machine.found.sentence in said
    assert ("see journalctl -u plancton-tune" in said) == (search is not Search.UNKNOWN)


def test_a_user_cannot_tune_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before anything changes."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    paths = Paths(tmp_path / "c", tmp_path / "run", tmp_path / "log", tmp_path / "state")
    with pytest.raises(RefusedError, match="run bootstrap as root"):
        set_up(paths, SetupOptions(harmless=True, tune=True), lambda _: None)
    assert not list(tmp_path.iterdir())
