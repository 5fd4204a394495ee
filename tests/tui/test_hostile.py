"""Nothing that a pilot, an image or a remote file says steers the terminal of the screen."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from plancton.engine.api import Item
from plancton.tui.screens.pilot_log import last_bytes, shortened
from tests.tui.stage import STATES, heard, members
from tests.unit.hostile import HOSTILE, STEERING, hostile


@pytest.mark.parametrize("key", ["x", "enter", "L", "F", "c", "k", "K", "l"])
async def test_a_screen_draws_nothing_that_steers(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Markup is only text, and no screen fails because of it."""
    stage = STATES["healthy"]()
    stage.engine.members = tuple(map(hostile, members(stage.rig.node.wall())))
    stage.engine.output = (HOSTILE * 3).encode()
    stream, settings = stage.engine.stream, stage.engine.settings

    def spoiled() -> Iterator[Item]:
        for item in stream():
            yield hostile(item) if dataclasses.is_dataclass(item) else item

    monkeypatch.setattr(stage.engine, "stream", spoiled)
    monkeypatch.setattr(stage.engine, "settings", lambda: hostile(settings()))
    app = stage.app()
    async with app.run_test(size=(160, 50)) as pilot:
        await heard(pilot, app)
        await pilot.press(key)
        for _ in range(3):
            await pilot.pause(0.1)
            app.draw()
        app.commands.report(HOSTILE)
        await pilot.pause(0.1)
        lines = app.screen._compositor.render_strips()
        shown = "\n".join("".join(part.text for part in line) for line in lines)
    assert "[" in shown
    assert not STEERING.search(shown)


def test_a_line_without_an_end_stays_bounded() -> None:
    """Docker makes parts of it, of 16 kB each."""
    begin = time.process_time()
    text = last_bytes((b"x" * 16384 for _ in range(6000)), 500_000)
    assert len(text) <= 500_000
    assert len(shortened(text.decode())) < 5000
    assert time.process_time() - begin < 5


def test_what_is_cut_begins_with_a_line() -> None:
    """So that the next look finds where it was."""
    assert last_bytes([b"aaaa\nbbb\ncc\n"], 6) == b"cc\n"
    assert last_bytes([b"aa\n", b"bb\n"], 100) == b"aa\nbb\n"
    assert last_bytes([], 8) == b""
