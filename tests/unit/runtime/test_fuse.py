"""The kernel module fuse is kept loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.runtime import fuse
from plancton.runtime.fuse import Module


def test_the_module_is_kept_loaded_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeatable; a kernel without it is said in one line."""
    said: list[str] = []
    kept = tmp_path / "modules-load.d/plancton.conf"
    monkeypatch.setattr(fuse, "MODULES_LOAD", kept)
    monkeypatch.setattr(fuse, "_FILE_SYSTEMS", tmp_path / "filesystems")
    (tmp_path / "filesystems").write_text("nodev\tproc\nnodev\tfuse\n")
    fuse.load_at_boot(said.append)
    fuse.load_at_boot(said.append)
    assert said == [f"installed {kept}: the module fuse is loaded at each boot"]
    assert kept.read_text().splitlines()[-1] == "fuse"
    (tmp_path / "filesystems").write_text("nodev\tproc\n\tfuseblk\n")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    fuse.load_at_boot(said.append)
    assert said[-1].startswith("warning: modprobe fuse: it is not installed (package kmod)")
    assert fuse.module() is Module.MISSING
    fuse.remove_module_file(said.append)
    fuse.remove_module_file(said.append)
    assert said[-1] == f"removed {kept}"
    assert not kept.exists()
