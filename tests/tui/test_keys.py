"""Every key, pressed as a user presses it, on the real engine and a simulated node."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, RichLog

from plancton.engine.model.operator import Mode
from plancton.tui.app import PlanctonApp
from plancton.tui.dialogs import Question, TypedQuestion
from plancton.tui.screens.config import ConfigPage
from plancton.tui.screens.fleet import FleetPage
from plancton.tui.screens.help import HelpPage
from plancton.tui.screens.ledger import LedgerPage
from plancton.tui.screens.pilot import PilotPage
from plancton.tui.screens.pilot_log import PilotLogPage, new_lines, without_control
from plancton.tui.widgets.cpu_pane import CpuPane
from plancton.tui.widgets.log_pane import LogPane
from plancton.tui.widgets.pilot_table import PilotTable
from plancton.tui.widgets.reasons_pane import ReasonsPane
from tests.tui.stage import STATES, Stage, brief, healthy, heard, many, members


class Scene:
    """One running program on a stage."""

    def __init__(self, stage: Stage, app: PlanctonApp, pilot: Pilot[None]) -> None:
        """Hold them."""
        self.stage, self.app, self.pilot = stage, app, pilot

    @property
    def table(self) -> PilotTable:
        """Return the table."""
        return self.app.screen_stack[0].query_one(PilotTable)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()

    async def until(self, met: Callable[[], object], *, ticks: bool = False) -> None:
        """Wait until something is met; with *ticks* the engine works meanwhile."""
        end = time.monotonic() + 40
        while not met():
            assert time.monotonic() < end, "it did not come about"
            if ticks:
                self.stage.tick()
            await self.pilot.pause(0.02)

    def text(self) -> str:
        """Return what is on the screen."""
        rows = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in rows)

    def said(self) -> list[str]:
        """Return the words that popped up."""
        return [note.message for note in self.app._notifications]


@asynccontextmanager
async def scene(
    stage: Stage, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[Scene]:
    """Yield a program that has heard the stage."""
    app = stage.app(**options)
    async with app.run_test(size=size) as pilot:
        await heard(pilot, app)
        yield Scene(stage, app, pilot)


@pytest.mark.parametrize(
    ("key", "mode"), [("d", Mode.DRAINING), ("D", Mode.STOPPING), ("u", Mode.ACTIVE)]
)
async def test_the_node_drains_and_comes_back(key: str, mode: Mode) -> None:
    """It says at once that it was asked, and then what came of it."""
    stage = brief()
    stage.orders.order(Mode.ACTIVE if key != "u" else Mode.DRAINING)
    stage.tick()
    async with scene(stage) as s:
        await s.press(key)
        assert any(words.startswith("asked: ") for words in s.said())
        await s.until(lambda: stage.orders.mode() is mode)
        assert s.app.snapshot
        assert s.app.snapshot.mode is not mode
        await s.until(lambda: s.app.snapshot and s.app.snapshot.mode is mode, ticks=True)
        assert mode.value.upper() in s.text()
        assert any(mode.value in words and "asked" not in words for words in s.said())


async def test_a_pilot_is_killed_once_it_is_confirmed() -> None:
    """Its state says so until it has gone; n and esc are no answer."""
    stage = brief()
    async with scene(stage) as s:
        victim = s.table.selected
        assert victim
        for no in ("n", "escape"):
            await s.press("k")
            assert isinstance(s.app.screen, Question)
            await s.press(no)
        assert not s.app.commands.pending.open
        await s.press("k", "y")
        assert "killing…" in s.text()
        await s.until(lambda: not s.app.moment.pilot(victim.pilot.id), ticks=True)
        assert f"{victim.pilot.name} killed" in s.said()
        assert "killing…" not in s.text()


async def test_marked_pilots_are_killed_together() -> None:
    """Space marks and goes on; those that have gone are no longer marked."""
    stage = brief()
    async with scene(stage) as s:
        await s.press("space", "space", "down", "space")
        marked = set(s.table.marked)
        assert len(marked) == 3
        assert "3 marked" in s.text()
        await s.press("k")
        assert "Kill 3 pilots?" in s.text()
        await s.press("y")
        await s.until(lambda: not marked & {p.id for p in s.app.moment.snapshot.pilots}, ticks=True)  # type: ignore[union-attr]
        assert "3 pilots killed" in s.said()
        assert not s.table.marked


async def test_all_pilots_are_killed_once_that_is_typed() -> None:
    """A wrong word does nothing."""
    stage = brief()
    async with scene(stage) as s:
        before = {p.id for p in s.app.snapshot.pilots} if s.app.snapshot else set()
        await s.press("K", *"yes", "enter")
        assert isinstance(s.app.screen, TypedQuestion)
        assert not s.app.commands.pending.open
        await s.press(*"kill", "space", *"all", "enter")
        await s.until(lambda: not before & {p.id for p in s.app.moment.snapshot.pilots}, ticks=True)  # type: ignore[union-attr]
        assert len(before) == 8


async def test_pilots_are_frozen_and_thawed() -> None:
    """The same key, there and back."""
    stage = brief()
    async with scene(stage) as s:
        id_ = s.table.marked_or_selected()[0].pilot.id

        def state() -> str:
            pilot = s.app.moment.pilot(id_)
            return pilot.state if pilot else "gone"

        await s.press("f")
        await s.until(lambda: state() == "frozen", ticks=True)
        await s.press("f")
        await s.until(lambda: state() == "running", ticks=True)


async def test_the_configuration_is_read_again() -> None:
    """It is said whether it changed anything, or what is wrong with it."""
    stage = brief()
    async with scene(stage) as s:
        await s.press("r")
        await s.until(lambda: any("nothing changed" in w for w in s.said()), ticks=True)
        stage.settings.set(spawn={"maximum": 1})
        await s.press("r")
        await s.until(lambda: any("revision 2 is in force" in w for w in s.said()), ticks=True)


async def test_readonly_asks_for_nothing() -> None:
    """No key changes anything, and each says why."""
    stage = brief()
    async with scene(stage, readonly=True) as s:
        await s.press("d", "u", "D", "f", "r", "k", "y")
        assert len([words for words in s.said() if words.startswith("read-only")]) == 6
        assert stage.orders.mode() is Mode.ACTIVE
        assert not s.app.commands.pending.open
        assert "read-only" in s.text()


async def test_a_refusal_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the engine's words, and nothing stays open."""
    stage = brief()

    def refuse(mode: Mode) -> None:
        raise OSError(28, "the disk is full")

    monkeypatch.setattr(stage.orders, "order", refuse)
    async with scene(stage) as s:
        await s.press("d")
        await s.until(lambda: any("the disk is full" in words for words in s.said()))
        assert not s.app.commands.pending.open


async def test_what_is_late_is_said() -> None:
    """The engine took the order and cannot carry it out, for Docker is away."""
    stage = STATES["docker-away"]()
    async with scene(stage) as s:
        await s.press("k", "y")
        for _ in range(14):
            stage.tick()
        await s.until(lambda: any("not done yet" in words for words in s.said()), ticks=True)


@pytest.mark.parametrize(
    ("key", "page", "words"),
    [
        ("enter", PilotPage, "efficiency"),
        ("l", PilotLogPage, "another line"),
        ("L", LedgerPage, "harvested"),
        ("c", ConfigPage, "pilots[worker].image"),
        ("question_mark", HelpPage, "drain"),
    ],
)
async def test_screens_open_and_close(key: str, page: type, words: str) -> None:
    """By a key, and esc and q go back."""
    async with scene(brief()) as s:
        for back in ("escape", "q"):
            await s.press(key)
            assert isinstance(s.app.screen, page)
            await s.until(lambda: words in s.text())
            await s.press(back)
            assert len(s.app.screen_stack) == 1


async def test_the_fleet() -> None:
    """All nodes, those in trouble first; why there are none; a look that fails keeps the last."""
    stage = brief()
    async with scene(stage) as s:
        await s.press("F")
        await s.until(lambda: "this node reports to no InfluxDB" in s.text())
        await s.press("escape")
        stage.engine.members = members(stage.rig.node.wall())
        await s.press("F")
        await s.until(lambda: "5 nodes, 1 silent, 1 in trouble" in s.text())
        lines = [line for line in s.text().splitlines() if ".lab.example" in line]
        assert [line.split()[0][4] for line in lines] == ["1", "2", "3", "0", "4"]
        assert "silent for 66.7 min; disk is nearly full" in lines[0]
        stage.engine.members = ()
        assert isinstance(s.app.screen, FleetPage)
        s.app.screen._refresh_fleet()
        await s.until(lambda: "this node reports to no InfluxDB" in s.text())
        assert "node1.lab.example" in s.text()


async def test_a_thousand_nodes_keep_their_place() -> None:
    """What is selected and scrolled to stays there when the fleet is read anew."""
    stage = brief()
    stage.engine.members = members(stage.rig.node.wall(), 1000)
    async with scene(stage) as s:
        await s.press("F")
        table = s.app.screen.query_one(DataTable)
        await s.until(lambda: table.row_count == 1000)
        await s.press("pagedown", "pagedown")
        row, offset = table.cursor_row, table.scroll_y
        assert row > 30
        stage.engine.members = members(stage.rig.node.wall(), 999)
        assert isinstance(s.app.screen, FleetPage)
        s.app.screen._refresh_fleet()
        await s.until(lambda: table.row_count == 999)
        assert (table.cursor_row, table.scroll_y) == (row, offset)


async def test_80_columns_show_where_a_value_comes_from() -> None:
    """However long another value is."""
    command = ["sh", "-c", "echo one; echo two; echo three; echo four"]
    stage = Stage(2, pilots=[{"name": "worker", "command": command}])
    stage.run(20)
    async with scene(stage, size=(80, 24)) as s:
        await s.press("c")
        await s.until(lambda: "pilots[worker].command" in s.text())
        (line,) = [each for each in s.text().splitlines() if ".command" in each]
        assert line.split()[1:3] == ["test", '["sh",']


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_knows_all_commands(key: str) -> None:
    """A name finds it, enter does it."""
    async with scene(brief()) as s:
        await s.press(key)
        await s.press(*"ledger")
        await s.pilot.pause(0.5)
        await s.press("enter")
        await s.until(lambda: isinstance(s.app.screen, LedgerPage))


async def test_pilots_are_filtered_as_one_types() -> None:
    """Enter keeps the filter, esc takes it back."""
    async with scene(brief()) as s:
        await s.press("slash", *"worker")
        assert {line.pilot.profile for line in s.table.rows} == {"worker"}
        await s.press("enter")
        assert s.table.has_focus
        assert "filter: worker" in s.text()
        await s.press("slash", *"nonsense")
        assert "None of 8 pilots matches" in s.text()
        await s.press("escape")
        assert len(s.table.rows) == 8


async def test_the_table_is_sorted_by_each_column() -> None:
    """By s, turned by S, and by a click on a head."""
    async with scene(brief()) as s:
        seen = []
        for _ in range(10):
            seen.append(s.table.sort_column.title)
            await s.press("s")
        assert len(set(seen)) == 10
        assert s.table.sort_column.title == seen[0]
        while s.table.sort_column.title != "AGE":
            await s.press("s")
        ages = [line.age for line in s.table.rows]
        assert ages == sorted(ages, reverse=True)
        await s.press("S")
        assert [line.age for line in s.table.rows] == sorted(ages)
        await s.pilot.click(PilotTable, offset=(4, 0))
        assert s.table.sort_column.title == "PROFILE"


async def test_selection_and_scroll_survive_updates() -> None:
    """The same pilot stays selected, wherever it goes and whoever comes and goes."""
    stage = many(60)
    async with scene(stage, size=(80, 24)) as s:
        await s.press(*["down"] * 30)
        line = s.table.selected
        assert line
        scroll = s.table.scroll_y
        assert scroll > 0
        for container in list(stage.rig.node.containers.values())[:5]:
            container.lifetime = 0.0
        await s.until(lambda: len(stage.rig.latest.ended) == 5, ticks=True)
        await s.until(lambda: s.app.snapshot is stage.rig.latest)
        assert s.table.selected
        assert s.table.selected.pilot.id == line.pilot.id
        assert s.table.scroll_y == scroll
        await s.press("end")
        assert s.table.cursor_row == 59
        await s.press("home", "pagedown", "pageup")
        assert s.table.cursor_row == 0


async def test_a_selection_whose_pilot_ends_stays_in_its_place() -> None:
    """Its successor is selected, not whoever is last."""
    stage = brief()
    async with scene(stage) as s:
        first = s.table.selected
        assert first
        stage.rig.node.containers[first.pilot.id].lifetime = 0.0
        await s.until(lambda: not s.app.moment.pilot(first.pilot.id), ticks=True)
        assert s.table.cursor_row == 0


async def test_the_mouse_selects_and_opens() -> None:
    """A click selects, a second one opens, and a click on the footer is its key."""
    async with scene(brief()) as s:
        await s.pilot.click(PilotTable, offset=(10, 3))
        assert s.table.cursor_row == 2
        await s.pilot.click(PilotTable, offset=(10, 3), times=2)
        await s.until(lambda: isinstance(s.app.screen, PilotPage))
        await s.press("escape")


async def test_those_that_ended_are_shown_when_asked_for() -> None:
    """With why they ended; they cannot be killed."""
    async with scene(brief(), size=(160, 50)) as s:
        await s.press("x", "end")
        assert "ago: it exited with code 0" in s.text()
        await s.press("k")
        assert len(s.app.screen_stack) == 1
        await s.press("x")
        assert "ago: it exited" not in s.text()


async def test_the_plot_shows_other_spans() -> None:
    """5 min, 1 h, 12 h, 1 day, and 5 min again."""
    async with scene(brief()) as s:
        pane, seen = s.app.query_one(CpuPane), []
        for _ in range(5):
            seen.append(str(pane.border_title))
            await s.press("t")
        assert [title.split("last ")[1].split(" (")[0] for title in seen] == [
            "5 min",
            "1 h",
            "12 h",
            "1 day",
            "5 min",
        ]


async def test_the_log_follows_and_is_searched() -> None:
    """Only lines with the words; esc shows all again."""
    stage = healthy()
    async with scene(stage) as s:
        log = s.app.query_one(LogPane)
        log.focus()
        await s.press("slash", *"ended", "enter")
        assert log.lines
        assert all("ended" in strip.text or strip.text[:2] != "22" for strip in log.lines)
        await s.press("escape")
        assert len(log.lines) > 20
        assert log.is_vertical_scroll_end


async def test_all_reasons_can_be_read_without_a_mouse() -> None:
    """They are more than fit 24 lines."""
    async with scene(brief(), size=(80, 24)) as s:
        pane = s.app.query_one(ReasonsPane)
        assert pane.max_scroll_y
        await s.press("tab", "tab", "end")
        await s.until(lambda: pane.scroll_y == pane.max_scroll_y)
        assert "battery" in s.text()


async def test_a_pilots_log_goes_on_and_ends() -> None:
    """What it wrote since is added, and when it has gone that is said."""
    stage = brief()
    async with scene(stage) as s:
        await s.press("l")
        await s.until(lambda: "another line" in s.text())
        stage.engine.output += b"a third\n"
        await s.until(lambda: "a third" in s.text())
        assert s.text().count("another line") == 1
        stage.engine.output = b""
        await s.until(lambda: "[no pilot is called" in s.text())
        stage.engine.output = b"one line\nanother line\na third\na fourth\n"
        await s.until(lambda: "a fourth" in s.text())  # the service was away, and is back
        assert s.text().count("another line") == 1


async def test_brackets_are_only_brackets() -> None:
    """Keys of the configuration and what users type are no markup."""
    stage = brief()
    async with scene(stage) as s:
        stage.settings.state = replace(
            stage.settings.state, error="c.yaml:3: pilots[0].cpus: [/] must be positive"
        )
        await s.press("r")
        await s.until(lambda: any("pilots[0].cpus: [/]" in w for w in s.said()), ticks=True)
        assert "CONFIGURATION REFUSED" in s.text()
        assert "pilots[0].cpus: [/]" in s.text()
        s.app.query_one(LogPane).focus()
        await s.press("slash", "left_square_bracket", "slash", "right_square_bracket", "enter")
        await s.press("c")
        assert "pilots[0].cpus: [/]" in s.text()


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        ("", "ab", "ab"),
        ("ab", "ab", ""),
        ("ab", "bc", "c"),
        ("aab", "xyz", "xyz"),
        ("aa", "aaa", "a"),
    ],
)
def test_only_new_lines_are_added(old: str, new: str, more: str) -> None:
    """Each letter a line."""
    assert list(new_lines(list(old), list(new))) == list(more)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m and plain", "red and plain"),
        ("\x1b]52;c;ZXZpbA==\x07clipboard", "]52;c;ZXZpbA==clipboard"),
        ("\x1b[2J\x1b[Hgone\x9b2J\r", "[2J[Hgone2J"),
        ("a\tb", "a       b"),
    ],
)
def test_a_pilot_cannot_steer_the_terminal(line: str, shown: str) -> None:
    """Colours are taken, the rest is text."""
    text = without_control(line)
    text.expand_tabs(8)
    assert text.plain == shown


async def test_hostile_words_are_shown_as_text() -> None:
    """From Docker, a registry, or a log."""
    stage = brief()
    stage.rig.node.down = "no\x1b]0;title\x07 Docker"
    async with scene(stage) as s:
        await s.until(lambda: "DOCKER AWAY: no?]0;title? Docker" in s.text(), ticks=True)
        assert "\x1b" not in s.text()


async def test_a_pilots_log_is_searched() -> None:
    """Only lines with the words; esc shows all again, and goes back then."""
    async with scene(brief()) as s:
        await s.press("l")
        await s.until(lambda: "another line" in s.text())
        await s.press("slash", *"another")
        log = s.app.screen.query_one(RichLog)
        assert [strip.text.strip() for strip in log.lines] == ["another line"]
        await s.press("enter")
        assert log.has_focus
        assert not s.app.main_screen.filter_text  # the table is not filtered by it
        await s.press("escape")
        assert isinstance(s.app.screen, PilotLogPage)
        assert len(log.lines) == 2
        await s.press("escape")
        assert len(s.app.screen_stack) == 1


async def test_a_lost_service_is_said_and_comes_back() -> None:
    """Greyed out meanwhile, with why; connected again by itself."""
    stage = brief()
    async with scene(stage) as s:
        stage.engine.cut = "no engine listens at /run/plancton/plancton.sock"
        await s.until(lambda: s.app.connection_lost)
        await s.until(lambda: "NO CONNECTION: no engine listens" in s.text())
        assert s.app.screen.has_class("outdated")
        stage.engine.cut = ""
        await s.until(lambda: not s.app.connection_lost, ticks=True)
        await s.until(lambda: "NO CONNECTION" not in s.text())
        await s.until(lambda: "connected again" in s.text())


class FakeHostedEngine:
    """An engine that this program hosts; it notes how it was ended."""

    def __init__(self) -> None:
        """Start well."""
        self.ended, self.failure, self.calls = False, "", list[str]()

    def leave_pilots(self) -> None:
        """Take note."""
        self.calls.append("leave")

    def drain(self) -> None:
        """Take note."""
        self.calls.append("drain")

    def kill_pilots(self) -> None:
        """Take note."""
        self.calls.append("kill")

    def stop_as_configured(self) -> None:
        """Take note."""
        self.calls.append("hang up")


@pytest.mark.parametrize(("key", "word"), [("l", "leave"), ("d", "drain"), ("k", "kill")])
async def test_quitting_a_hosting_program_asks(key: str, word: str) -> None:
    """Leave ends at once; drain and kill end with the last pilot."""
    hosted = FakeHostedEngine()
    async with scene(brief(), hosted=hosted) as s:
        await s.press("q")
        assert "What becomes of its 8 pilots?" in s.text()
        await s.press("n")
        assert not hosted.calls
        await s.press("q", key)
        assert hosted.calls == [word]
        if key != "l":
            assert "Ending with the last pilot: 8 to go" in s.text()
            hosted.ended = True
        await s.until(lambda: not s.app.is_running or s.app._exit)


async def test_quitting_an_attached_program_does_not_ask() -> None:
    """The service goes on."""
    async with scene(brief()) as s:
        await s.press("q")
        await s.until(lambda: s.app._exit)


async def test_a_dead_engine_is_shown_as_what_it_is() -> None:
    """It stays on the screen, so that one can read why."""
    hosted = FakeHostedEngine()
    async with scene(brief(), hosted=hosted) as s:
        hosted.failure = "the engine thread died: KeyError('x')"
        hosted.ended = True
        await s.until(lambda: "THE ENGINE DIED: the engine thread died" in s.text())
        await s.press("q")
        await s.until(lambda: s.app._exit)


async def test_a_silent_engine_is_pointed_out() -> None:
    """It hangs: nothing is said of the pilots as if it were of now."""
    stage = brief()
    async with scene(stage) as s:
        stage.rig.node.advance(60)
        await s.until(lambda: "THE ENGINE IS SILENT" in s.text())


@pytest.mark.parametrize("key", ["enter", "l", "k", "f", "K"])
async def test_a_key_for_pilots_that_are_not_there_is_answered(key: str) -> None:
    """It does not just do nothing."""
    async with scene(STATES["empty"]()) as s:
        await s.press(key)
        assert len(s.app.screen_stack) == 1
        assert any("no pilot" in words for words in s.said())


async def test_empty_and_bad_states_have_their_words() -> None:
    """Each says what is wrong, and what not."""
    async with scene(STATES["empty"]()) as s:
        assert "No pilots: no image registry.example/lab/worker:7 on the node" in s.text()
    async with scene(STATES["docker-away"]()) as s:
        assert "DOCKER AWAY" in s.text()
    never = Stage(2)
    never.rig.node.down = "no"
    never.tick()
    async with never.app().run_test(size=(100, 30)) as pilot:
        shown = Scene(never, pilot.app, pilot)  # type: ignore[arg-type]
        await shown.until(lambda: "not measured while Docker is away" in shown.text())
    stage = Stage(2)
    async with stage.app().run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.2)
        shown = Scene(stage, pilot.app, pilot)  # type: ignore[arg-type]
        assert "The engine has not said anything yet" in shown.text()


@pytest.mark.parametrize("size", [(40, 12), (60, 20), (80, 24), (100, 30), (200, 60), (20, 5)])
async def test_every_size_is_usable(size: tuple[int, int]) -> None:
    """Nothing breaks, and from 40 columns on the pilots are there."""
    async with scene(brief(), size=size) as s:
        assert s.table.size.height >= (1 if size[1] < 12 else 3)
        await s.pilot.resize_terminal(150, 45)
        await s.pilot.resize_terminal(*size)


async def test_no_colour_tells_the_layers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their characters."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with scene(brief()) as s:
        assert "▒" in s.text()
        assert "█" in s.text()


async def test_a_flood_of_snapshots_is_merged() -> None:
    """The screen draws as often as it can, not as often as the engine speaks."""
    stage = brief()
    async with scene(stage) as s:
        drawn = 0
        draw = s.app.draw

        def counted() -> None:
            nonlocal drawn
            drawn += 1
            draw()

        s.app.draw = counted  # type: ignore[method-assign]
        for _ in range(300):
            stage.tick()
        await s.until(lambda: s.app.snapshot is stage.rig.latest)
        assert drawn < 100


@pytest.mark.slow
async def test_every_theme_of_the_palette_can_be_drawn() -> None:
    """Those in the terminal's own colours too, and what is drawn changes with them."""
    async with scene(brief()) as s:
        pictures = set()
        for theme in s.app.available_themes:
            s.app.theme = theme
            await s.pilot.pause()
            s.app.draw()
            await s.pilot.pause()
            pictures.add(s.app.export_screenshot())
        assert len(pictures) > 10


async def test_one_that_has_gone_keeps_no_other_from_being_killed() -> None:
    """Marked ones may end while they are asked about."""
    stage = brief()
    async with scene(stage) as s:
        await s.press("space", "space", "k")
        first, second = s.table.marked
        stage.rig.node.containers[first].lifetime = 0.0
        stage.run(10)
        assert first not in {p.id for p in stage.rig.latest.pilots}
        await s.press("y")
        await s.until(lambda: not s.app.moment.pilot(second), ticks=True)


async def test_q_again_leaves_the_pilots_that_were_to_end_first() -> None:
    """As the line on top says."""
    hosted = FakeHostedEngine()
    async with scene(brief(), hosted=hosted) as s:
        await s.press("q", "d", "q")
        assert hosted.calls == ["drain", "leave"]
        await s.until(lambda: s.app._exit)


async def test_the_input_is_gone_when_it_is_not_needed() -> None:
    """It takes no room."""
    async with scene(brief()) as s:
        assert not s.app.query_one("#filter", Input).display
        await asyncio.sleep(0)


async def test_80_columns_hold_whole_sentences() -> None:
    """What comes next, and the titles of a pilot's page."""
    stage = Stage(2, pilots=[{"ttl": "1h"}])
    stage.run(20)
    async with scene(stage, size=(80, 24)) as s:
        assert re.search(r"59m: the TTL of plancton-default-\w{6} is over", s.text())
        await s.press("enter")
        await s.until(lambda: "Decisions, newest first" in s.text())


async def test_500_pilots_cost_what_is_visible() -> None:
    """Lines are drawn for the screen, not for the node."""
    stage = many(500)
    async with scene(stage, size=(160, 50)) as s:
        drawn = 0
        line = s.table._row_line

        def counted(*args: Any) -> Any:
            nonlocal drawn
            drawn += 1
            return line(*args)

        s.table._row_line = counted  # type: ignore[method-assign, assignment]
        for _ in range(3):
            stage.tick()
            await s.until(lambda: s.app.snapshot is stage.rig.latest)
            await s.pilot.pause()
        assert len(s.table.rows) == 500
        assert 0 < drawn <= 6 * s.table.size.height
