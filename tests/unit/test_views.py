"""What people are told beside the reasons: what comes next, places, settings, the plot, rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plancton.cli.render import status_text, why_text
from plancton.config.config_file import ConfigFile
from plancton.config.effective import ConfigState
from plancton.config.load import layered
from plancton.config.schema import Allow
from plancton.config.write import settings
from plancton.config.yaml_source import parse
from plancton.engine.model.operator import Mode, PilotCommand
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.records.history import History, Row
from plancton.engine.records.slots import Slots
from plancton.engine.views.snapshot import SinkState
from plancton.engine.views.text import sink_line
from plancton.tui.moment import Moment
from plancton.tui.short_units import short_duration, short_size
from plancton.tui.texts import reasons
from plancton.tui.widgets.cpu_plot import Palette, PlotColumn, plot, plot_columns
from plancton.tui.widgets.pilot_rows import (
    COLUMNS,
    PilotRow,
    filtered_and_sorted,
    matches,
    ttl_bar,
)
from tests.scenario.rig import Rig

PAINT = Palette("red", "green", "dim", "yellow")


def _pilot(id_: str, profile: str = "a", at: float = 0.0) -> Pilot:
    return Pilot(id_, id_, profile, PilotState.RUNNING, 1.0, at)


def test_each_new_pilot_takes_the_lowest_free_place() -> None:
    """And inherits how often it was taken, and why the last one left it."""
    slots = Slots()
    slots.see([_pilot("x", at=1), _pilot("y", at=2), _pilot("z", "b", at=3)])
    assert [slots.of(id_).number for id_ in "xyz"] == [1, 2, 1]
    slots.end("x", "exit code 1")
    slots.see([_pilot("y", at=2), _pilot("z", "b", at=3)])
    slots.see([_pilot("y", at=2), _pilot("new", at=4)])
    assert slots.of("new") == type(slots.of("new"))(1, 1, "exit code 1")
    slots.see([_pilot("new", at=4), _pilot("later", "b", at=5)])
    assert slots.of("later").last_exit == "removed by somebody else"
    assert slots.of("y").number == 0


def test_the_snapshot_says_what_comes_next() -> None:
    """A time to live, a grace, a back-off: whatever is first, and nothing if there is none."""
    rig = Rig(1, pilots=[{"ttl": "100s", "grace": "7s"}], spawn={"maximum": 1})
    rig.node.lifetime = lambda _: 1e6
    rig.node.ignores_term = True
    rig.run(20)
    coming = rig.latest.coming
    assert coming
    assert coming.code == "next-ttl"
    assert coming.wall == pytest.approx(rig.latest.wall + (rig.latest.pilots[0].ttl_left or 0))
    rig.run(87)
    assert rig.latest.coming
    assert "is killed unless it ends before" in rig.latest.coming.text
    failing = Rig(1)
    failing.node.refuses = "no"
    failing.run(5)
    assert failing.latest.coming
    assert failing.latest.coming.text == "default is tried again"
    idle = Rig(1, spawn={"maximum": 0})
    idle.run(5)
    assert idle.latest.coming is None


def test_pilots_show_efficiency_memory_and_place() -> None:
    """As far as they are known."""
    rig = Rig(2)
    rig.node.appetite = 0.5
    rig.run(30)
    pilot = rig.latest.pilots[0]
    assert pilot.efficiency == pytest.approx(0.5, abs=0.02)
    assert pilot.memory_used == 500_000_000
    assert (pilot.slot, pilot.before, pilot.last_exit) == (1, 0, "")
    rig.run(60)
    assert rig.latest.pilots[0].before == 1
    assert "exited with code 0" in rig.latest.pilots[0].last_exit


def test_each_value_says_which_file_sets_it(tmp_path: Path) -> None:
    """The local file, else the remote one, else none; secrets stay hidden."""
    local = parse("node: {interval: 2s}\nremote: {url: https://u:p@x/y}\n", "local.yaml")
    remote = parse(
        "pilots: [{name: w, env: {TOKEN: secret}}]\nspawn: {maximum: 3}\nnode: {}\n", "remote"
    )
    loaded = layered(local, remote, Allow())
    state = ConfigState(loaded.config, "both", layers=loaded.layers)
    found = {each.key: (each.value, each.origin) for each in settings(state)}
    assert found["node.interval"] == ("2.0", "local.yaml")
    assert found["spawn.maximum"][1] == "remote"
    assert found["pilots[w].env.TOKEN"] == ('"***"', "remote")
    assert found["pilots[w].cpus"] == ("1.0", "")
    assert "u:p" not in found["remote.url"][0]
    old = tmp_path / "config.yaml"
    old.write_text("max_docks: 2\nmain_sleep: 7\n")
    found = {e.key: (e.value, e.origin) for e in settings(ConfigFile(old).first())}
    assert found["node.interval"] == ("7.0", str(old))
    assert found["spawn.reserve"][1] == ""


def _history(values: list[float], begin: float = 0.0) -> History:
    rows = tuple(
        Row(begin + 5 * n, 5.0, (cpu, cpu / 2, 0.0, 0.0, 0.0, 1.0, 0.0))
        for n, cpu in enumerate(values)
    )
    return History((rows, (), ()))


def test_columns_are_means_and_gaps_stay_gaps() -> None:
    """However wide the plot is."""
    history = _history([4.0] * 12, begin=100.0)
    wide = plot_columns(history, 160.0, 300.0, 60)
    assert wide[:48] == [None] * 48
    assert wide[48:] == [PlotColumn(2.0, 2.0)] * 12
    assert plot_columns(history, 160.0, 300.0, 5) == [None] * 4 + [PlotColumn(2.0, 2.0)]
    assert plot_columns(History(), 160.0, 300.0, 3) == [None] * 3


def test_the_plot_stacks_and_marks_the_ceiling() -> None:
    """Foreground below, pilots on it; without colour by their characters."""
    lines = plot([PlotColumn(2, 4), None], 8, 6.0, 5, PAINT, "5 min").plain.split("\n")
    assert len(lines) == 5
    assert lines[0] == " 6.0┄┄┄"
    assert lines[1:4] == ["    │█ ", "    │█ ", "   0┤█ "]
    assert lines[4].strip().startswith("-5 min")
    plain = Palette("", "", "", "", colour=False)
    bars = plot([PlotColumn(2, 4)], 8, None, 5, plain, "5 min").plain.split("\n")
    assert [line[-1] for line in bars[:4]] == [" ", "▒", "▒", "█"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (61, "1m1s"), (3600, "1h"), (36000, "10h"), (90061, "1d1h")],
)
def test_durations_are_brief(seconds: float, text: str) -> None:
    """Five characters are enough."""
    assert short_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0kB"), (999_400, "999kB"), (1.25e6, "1.2MB"), (5e8, "500MB"), (2e9, "2.0GB")],
)
def test_sizes_are_brief(size: float, text: str) -> None:
    """Six characters are enough."""
    assert short_size(size) == text


def test_rows_are_sorted_filtered_and_drawn() -> None:
    """By each column, without a pilot lost; unknown figures come last."""
    rig = Rig(4, pilots=[{"name": "a"}, {"name": "b", "cpus": 0.5}])
    rig.run(40)
    pilots = rig.latest.pilots
    for column in COLUMNS:
        for reverse in (False, True):
            lines = filtered_and_sorted(pilots, 3.0, {}, "", column, reverse=reverse)
            assert {line.pilot.id for line in lines} == {pilot.id for pilot in pilots}
            assert all(isinstance(column.cell(line), str) for line in lines)
    asked = filtered_and_sorted(pilots, 0.0, {pilots[0].id: "killing"}, "killing", COLUMNS[0])
    assert [line.state for line in asked] == ["killing…"]
    assert matches(PilotRow(pilots[0]), f"{pilots[0].profile} running")
    assert len(ttl_bar(PilotRow(pilots[0]))) == 5


def test_a_draining_node_has_no_next_start() -> None:
    """Only the ends of its pilots."""
    rig = Rig(2)
    rig.run(10)
    rig.word.value = Mode.DRAINING
    rig.run(5)
    assert rig.latest.coming
    assert rig.latest.coming.code == "next-ttl"


def test_the_configurations_drain_is_not_the_operators() -> None:
    """Each holds until its own word takes it back, and is shown as what it is."""
    rig = Rig(2)
    rig.run(10)
    rig.settings.set(node={"drain": True})
    rig.run(120)
    assert rig.latest.pilots == ()
    assert rig.latest.mode is Mode.ACTIVE
    assert "active, but the configuration asks to drain" in status_text(rig.latest)
    assert "now\n  the configuration asks to drain (node.drain)" in why_text(rig.latest)
    rig.word.value = Mode.DRAINING
    rig.run(5)
    assert "asks to drain" not in status_text(rig.latest)
    rig.settings.set(node={"drain": False})
    rig.run(5)
    assert rig.latest.pilots == ()
    rig.word.value = Mode.ACTIVE
    rig.run(5)
    assert len(rig.latest.pilots) == 2


def test_what_does_not_happen_is_not_announced() -> None:
    """No try of a failing profile while the node drains, no end of what the operator froze."""
    failing = Rig(1)
    failing.node.refuses = "no"
    failing.run(5)
    failing.word.value = Mode.DRAINING
    failing.run(5)
    assert failing.latest.coming is None
    failing.word.value = Mode.ACTIVE
    failing.settings.set(node={"drain": True})
    failing.run(5)
    assert failing.latest.coming is None
    frozen = Rig(1, pilots=[{"ttl": "10d"}])
    frozen.node.lifetime = lambda _: 1e9
    frozen.run(10)
    frozen.engine.command_pilot(frozen.latest.pilots[0].id, PilotCommand.FREEZE)
    frozen.engine.turn(0)
    frozen.run(10)
    assert frozen.latest.pilots[0].state == "frozen"
    assert frozen.latest.coming
    assert frozen.latest.coming.code == "next-ttl"


def test_targets_of_metrics_are_shown_once() -> None:
    """One that works with its figures; one that fails as a warning, with the same figures."""
    rig = Rig(1)
    rig.run(5)
    good = SinkState("InfluxDB one", sent=7, dropped=2)
    bad = SinkState("InfluxDB two", queued=3, error="it answers 401", failures=1)
    view = Moment("here", replace(rig.latest, sinks=(good, bad), warnings=(sink_line(bad),)))
    lines = ["".join(text for text, _ in line) for line in reasons(view)]
    assert "  InfluxDB one: 7 points sent, 0 kept, 2 lost" in lines
    assert [line for line in lines if "InfluxDB two" in line] == [
        "! InfluxDB two fails: it answers 401 (0 points sent, 3 kept, 0 lost)"
    ]
