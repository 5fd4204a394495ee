"""Pictures of the screen in each state, size and theme.

``pytest tests/tui/test_snapshots.py --snapshot-update`` takes them anew; look at them then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from textual.pilot import Pilot

from tests.tui.stage import STATES, Stage, heard, members

Compare = Callable[..., bool]


@cache
def stage_of(state: str) -> Stage:
    """Return each state once; the screen changes none of them."""
    return STATES[state]()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])
@pytest.mark.parametrize("state", STATES)
def test_the_main_screen(
    snap_compare: Compare, state: str, size: tuple[int, int], theme: str
) -> None:
    """As it was when somebody looked at it last."""
    stage = stage_of(state)
    stage.engine.cut = ""
    app = stage.app(theme=theme)

    async def settle(pilot: Pilot[None]) -> None:
        await heard(pilot, app)
        if state == "disconnected":
            stage.engine.cut = "the engine at /run/plancton/plancton.sock does not answer"
            await heard(pilot, app, lambda: bool(app.connection_lost))

    assert snap_compare(app, terminal_size=size, run_before=settle)


@pytest.mark.parametrize("key", ["enter", "L", "F", "c", "question_mark", "k", "K", "l"])
def test_other_screens(snap_compare: Compare, key: str) -> None:
    """Detail, ledger, fleet, configuration, help, both questions, a pilot's log."""
    stage = STATES["healthy"]()
    stage.engine.members = members(stage.rig.node.wall())
    app = stage.app()

    async def settle(pilot: Pilot[None]) -> None:
        await heard(pilot, app)
        await pilot.press(key)
        for _ in range(3):  # what is shown decides what has to scroll
            await pilot.pause(0.15)
            app.draw()
        await pilot.pause(0.15)

    assert snap_compare(app, terminal_size=(100, 36), run_before=settle)
