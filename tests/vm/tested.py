"""The table of what ran: a row for each release and engine, written by the run itself."""

from __future__ import annotations

import datetime
import re

import pytest

from tests.vm.engines import Engine
from tests.vm.guest import ROOT

TABLE = ROOT / "docs/engines-tested.md"
OUTCOMES = pytest.StashKey[dict[tuple[str, str], bool]]()
"""Of each test that ran, by the engine and its name: whether it passed."""
HEAD = """\
# Engines tested

`make test-worlds` writes this table. Each row is the last run of `tests/vm/test_engines.py` with
one engine, in a booted Debian (QEMU, 2 cores, cgroup v2, systemd driver).
[Supported engines](engines.md) says what follows.

| Debian | engine | image store | kernel | systemd | Python | day | passed |
|---|---|---|---|---|---|---|---|
"""


def recorded(request: pytest.FixtureRequest, engine: Engine) -> None:
    """Write the row of an engine, if that was asked for and all of the module's tests ran."""
    ran = request.session.stash[OUTCOMES]
    outcomes = {name: passed for (kind, name), passed in ran.items() if kind == engine.kind}
    tests = [name for name in vars(request.module) if name.startswith("test_")]
    if request.config.getoption("--record") and len(outcomes) == len(tests):
        write_row(cells(engine, outcomes))


def cells(engine: Engine, outcomes: dict[str, bool]) -> list[str]:
    """Return the cells of one row."""
    guest = engine.guest
    version, store = engine.versions()
    failed = [name.removeprefix("test_") for name, passed in outcomes.items() if not passed]
    passed = f"{len(outcomes) - len(failed)} of {len(outcomes)}"
    systemd = re.search(r"systemd (\S+)", guest.run("systemctl --version"))
    return [
        guest.release,
        version,
        store,
        guest.run("uname -r"),
        systemd.group(1) if systemd else "",
        guest.run("python3 -c 'import platform; print(platform.python_version())'"),
        datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "; not: ".join([passed, ", ".join(failed)]) if failed else passed,
    ]


def write_row(row: list[str]) -> None:
    """Put a row in the place of the one of the same release, engine and image store."""
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    others = [each for each in rows if len(each) == len(row) and _key(each) != _key(row)]
    kept = [each for each in others if each[0] not in ("Debian", "---")]
    text = "".join(f"| {' | '.join(each)} |\n" for each in sorted([*kept, row], key=_key))
    TABLE.write_text(HEAD + text)


def _key(row: list[str]) -> tuple[str, str, str]:
    return row[0], row[1].partition(" ")[0], row[2]
