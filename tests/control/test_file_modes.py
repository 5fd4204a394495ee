"""What the service makes has the rights that are meant, whatever umask it was started with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plancton.service.process.paths import default_paths
from tests.conftest import INSTANCE, until

_RIGHTS = {
    "run": 0o755,
    "run/plancton.lock": 0o644,
    "run/drain": 0o644,
    "run/plancton.sock": None,
    "pid": 0o755,
    "pid/plancton.pid": 0o644,
    "log": 0o750,
    "log/plancton.log": 0o640,
    "state": 0o750,
    f"state/memory-{INSTANCE}.json": 0o600,
}


def rights_below(folder: Path) -> dict[str, int]:
    """Return the rights of all files and folders."""
    return {str(p.relative_to(folder)): p.stat().st_mode & 0o777 for p in folder.rglob("*")}


def run_once(folder: Path, umask: int) -> dict[str, int]:
    """Run the service until it has ticked and drained; returns the rights of what it made."""
    config = folder / "config.yaml"
    config.write_text(f"node: {{instance: {INSTANCE}, docker: 'unix:///nonexistent.sock'}}\n")
    made = folder / "made"
    made.mkdir(exist_ok=True)
    words = [f"--rundir={made}/run", f"--logdir={made}/log", f"--statedir={made}/state"]
    plancton = [sys.executable, "-m", "plancton"]
    serve = [*plancton, "serve", "--detached", f"--config={config}", *words]
    serve += [f"--pidfile={made}/pid/plancton.pid"]
    service = subprocess.Popen(serve, umask=umask, stderr=subprocess.PIPE)
    try:
        until((made / "run" / "plancton.sock").exists, 30)
        drain = [*plancton, "drain", words[0]]
        subprocess.run(drain, check=True, capture_output=True, timeout=60, umask=umask)
        rights = rights_below(made)
    finally:
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=60)
        for lock in default_paths().rundir.glob(f"instance-{INSTANCE}-*.lock"):
            lock.unlink()
    assert service.returncode == 0, said
    return rights_below(made) | rights


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_rights_are_the_same_under_each_umask(tmp_path: Path, umask: int) -> None:
    """The log is not for everybody, and what others must find they find."""
    found = run_once(tmp_path, umask)
    assert set(found) == set(_RIGHTS)
    expected = {name: found[name] if mode is None else mode for name, mode in _RIGHTS.items()}
    assert found == expected
    assert not found["run/plancton.sock"] & 0o007


def test_what_an_administrator_changed_stays(tmp_path: Path) -> None:
    """Over a restart, and over the replacement of a file."""
    run_once(tmp_path, 0o022)
    made = tmp_path / "made"
    state = f"state/memory-{INSTANCE}.json"
    changed = {"run": 0o711, "log": 0o755, "log/plancton.log": 0o644, state: 0o640}
    for name, mode in changed.items():
        (made / name).chmod(mode)
    before = (made / state).stat().st_ino
    found = run_once(tmp_path, 0o077)
    assert {name: found[name] for name in changed} == changed
    assert (made / state).stat().st_ino != before
