"""Verbs start quickly: they import no more than they need."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SLOW = {
    *("docker", "requests", "influxdb", "h11", "psutil", "rich", "textual", "yaml"),
    *("plancton.config.schema", "plancton.engine.rules.decide"),
}


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["--help"], set()),
        (["status", "--rundir", "/nonexistent"], set()),
        (["config", "check", "/dev/null"], {"plancton.config.schema", "psutil", "yaml"}),
    ],
)
def test_a_verb_imports_no_more_than_it_needs(words: list[str], needed: set[str]) -> None:
    """What a verb does not need is not imported, be it a library or the rules."""
    code = (
        f"import sys; sys.argv = ['plancton', *{words}]\n"
        "from plancton.cli.app import main\n"
        "try: main()\n"
        "finally: print('imported', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "imported"
    assert _SLOW & set(last) <= needed
