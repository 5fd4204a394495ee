"""Nothing that a pilot, an image or a remote file says steers the terminal of a verb."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.cli import render
from plancton.cli.errors import explain
from plancton.cli.terminal import say, write_output
from plancton.engine.api import RefusedError
from plancton.engine.views.fleet import Member
from plancton.engine.views.snapshot import Snapshot
from plancton.engine.views.text import printable_values, without_steering
from plancton.service.process.logs import LineFormatter
from tests.scenario.rig import Rig
from tests.unit.hostile import HOSTILE, STEERING, hostile


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """Return a snapshot with pilots that run, ended ones, decisions and findings."""
    rig = Rig(2, pilots=[{"ttl": 60}])
    rig.run(300)
    assert rig.latest.ended
    assert rig.latest.pilots
    return rig.latest


def _members(_: Snapshot) -> str:
    member = Member("n", "i", 1.0, 5.0, "active", 1, 0, 2, 2, 50.0, 1.0, False, "trouble")
    return render.fleet_text([hostile(member)], 10.0)


HUMAN: dict[str, Callable[[Snapshot], str]] = {
    "status": render.status_text,
    "pilots": render.pilots_text,
    "why": render.why_text,
    "ledger": lambda s: render.ledger_text(s.ledger),
    "status of several": lambda s: render.hosts_text([("h", s, ""), ("h", None, HOSTILE)]),
    "events": lambda s: "\n".join(render.event_text(e.wall, e.text) for e in s.events),
    "fleet": _members,
    "last words": lambda s: s.ended[-1].log,
    "json": render.as_json,
}


@pytest.mark.parametrize("verb", HUMAN)
def test_a_verb_prints_nothing_that_steers(
    snapshot: Snapshot, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands in the snapshot."""
    say(HUMAN[verb](hostile(snapshot)))
    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert not STEERING.search(shown)


def test_json_says_the_same_escaped(snapshot: Snapshot) -> None:
    """Programs read what was there."""
    text = render.as_json(hostile(snapshot))
    assert not STEERING.search(text)
    assert json.loads(text)["node"] == snapshot.node + HOSTILE


def test_an_error_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Docker's words may be in it."""
    assert explain(RefusedError(HOSTILE)) == 1
    assert not STEERING.search(capsys.readouterr().err)


def test_a_line_of_the_log_steers_nothing() -> None:
    """Which is on the terminal of who runs plancton serve by hand."""
    import logging

    record = logging.LogRecord("plancton", logging.INFO, "f", 1, HOSTILE, None, None)
    record.fields = {"error": HOSTILE}
    assert not STEERING.search(LineFormatter().format(record))


def test_markup_and_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There rich draws: markup is only text, and what escapes is rich's own colours."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        say(f"why {HOSTILE}")
        write_output([HOSTILE.encode(), b"\x1b[3", b"1mx"])
    raw = b""
    with suppress(OSError):  # its other end is closed
        while part := os.read(ours, 65536):
            raw += part
    os.close(ours)
    shown = raw.decode()
    assert "[red]x[/] [@click=app.quit]y[/] :bomb:" in shown
    assert not STEERING.search(without_steering(shown).replace("\x1b", "").replace("\r\n", "\n"))
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert shown.endswith("\x1b[0m")


@given(st.recursive(st.text(), lambda inner: st.tuples(inner, inner) | st.lists(inner)))
def test_each_text_becomes_printable(value: object) -> None:
    """At any depth; ends of lines stay."""
    assert not STEERING.search(str(printable_values(value)))
