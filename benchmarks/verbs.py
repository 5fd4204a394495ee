"""What a verb of the command line takes, beside Python importing typer alone."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from plancton.service.process.paths import Paths

PLANCTON = str(Path(sys.executable).with_name("plancton"))
_ROUNDS, _RESAMPLES = 20, 2000
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
        low, high = _interval(rounds, name)
        text = f"{_ratio(rounds, name):.2f} times the bare import [{low:.2f}, {high:.2f}]"
        row(name, f"{_median(rounds, name):.3f} s", "" if name == _BARE else text)


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _median(rounds: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in rounds)


def _ratio(rounds: list[dict[str, float]], name: str) -> float:
    return _median(rounds, name) / _median(rounds, _BARE)


def _interval(rounds: list[dict[str, float]], name: str) -> tuple[float, float]:
    """Return the 95 % interval of the ratio, by bootstrap over the rounds."""
    draw = random.Random(1)  # noqa: S311 (no secret)
    ratios = [_ratio(draw.choices(rounds, k=len(rounds)), name) for _ in range(_RESAMPLES)]
    cuts = statistics.quantiles(ratios, n=40)
    return cuts[0], cuts[-1]
