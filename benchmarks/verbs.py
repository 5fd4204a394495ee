"""What a verb of the command line takes, beside Python importing typer alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.ratios import median, ratio_text
from plancton.service.process.paths import Paths

PLANCTON = str(Path(sys.executable).with_name("plancton"))
_ROUNDS = 20
_BARE = "python -c 'import typer'"


def verbs(paths: Paths, row: Callable[..., None]) -> None:
    """Time verbs in turns, so that what else the machine does meets them all alike.

    An engine runs on *paths*; what checks the configuration does not find it.
    """
    elsewhere = ["--rundir", str(paths.rundir / "none"), "--statedir", str(paths.rundir / "none")]
    commands = {
        _BARE: [sys.executable, "-c", "import typer"],
        "plancton --help": [PLANCTON, "--help"],
        "plancton status": [PLANCTON, "status", "--rundir", str(paths.rundir)],
        "plancton config check": [PLANCTON, "config", "check", str(paths.config), *elsewhere],
    }
    for command in commands.values():
        _seconds(command)  # compiles what is imported
    rounds = [
        {name: _seconds(command) for name, command in commands.items()} for _ in range(_ROUNDS)
    ]
    for name in commands:
        text = f"{ratio_text(rounds, name, _BARE)} times the bare import"
        row(name, f"{median(rounds, name):.3f} s", "" if name == _BARE else text)


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin
