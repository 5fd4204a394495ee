"""What a source means, and what the units say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plancton.service.installer.options import SetupOptions
from plancton.service.installer.remote_source import remote_from
from plancton.service.installer.systemd_units import unit_files


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
        "unprivileged.conf",
    }
