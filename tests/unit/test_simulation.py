"""Simulations: the same decisions, other time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plancton.cli.app import app
from plancton.config.schema import Config
from plancton.engine.api import RefusedError
from plancton.engine.model.node import Protection
from plancton.simulation.many_nodes import KINDS, FleetResult, node_trace, run_fleet
from plancton.simulation.simulator import Assumptions, Simulation
from plancton.simulation.trace import (
    SYNTHETIC,
    Trace,
    TraceError,
    TracePoint,
    read_trace,
    synthetic_trace,
    trace_header,
    trace_row,
)

HOUR = Trace("hour", 4, 16e9, (TracePoint(0, 1.0), TracePoint(3600, 1.0)))
LONG = Assumptions(life=1e9, start_delay=0, start_cost=0)


def test_a_constant_owner_leaves_three_of_four_cores() -> None:
    """The result is what arithmetic says: 3 of 4 cores but for the first seconds."""
    result = Simulation(Config(), HOUR, assumptions=LONG).run(columns=60)
    assert result.foreground_wanted == result.foreground_got == pytest.approx(3600)
    assert result.share == pytest.approx(1.0, abs=0.005)
    assert result.slowdown == 1.0
    assert result.account.started == 3
    assert [c.foreground for c in result.columns] == pytest.approx([1.0] * 60, abs=0.1)
    assert result.columns[-1].own == pytest.approx(3.0, abs=0.3)


def test_without_protection_the_owner_pays() -> None:
    """Until pilots are frozen, and only until then."""
    points = (TracePoint(0, 0.0), TracePoint(600, 4.0), TracePoint(660, 0.0), TracePoint(1200, 0.0))
    trace = Trace("burst", 4, 16e9, points)
    bare = replace(LONG, protection=Protection.WEIGHT_ONLY)
    result = Simulation(Config(), trace, assumptions=bare).run()
    assert 1.01 < result.slowdown < 1.1
    assert result.account.frozen == 3
    assert result.account.reaction_max < 5
    assert Simulation(Config(), trace, assumptions=LONG).run().slowdown == 1.0


@pytest.mark.timeout(600)  # a day of ticks takes its time on a busy machine
@pytest.mark.parametrize("name", SYNTHETIC)
def test_no_synthetic_trace_slows_the_owner(name: str) -> None:
    """In the idle class, and what is idle is harvested."""
    result = Simulation(Config(), synthetic_trace(name, 4), name=name).run()
    assert result.slowdown == 1.0
    assert result.share is None or result.share > 0.3


def test_the_same_seed_gives_the_same_day() -> None:
    """Results can be compared."""
    runs = [Simulation(Config(), synthetic_trace("ramp", 4)).run().account for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every column, and the node's facts."""
    points = (TracePoint(0, 0.5, 1e9, 2e9, 1, 30.0, 1, 2.5, 3.5), TracePoint(1.5, 0.25, 2e9))
    path = tmp_path / "t.csv"
    path.write_text(trace_header(8, 16e9, 86400.0) + "".join(map(trace_row, points)))
    assert read_trace(path) == Trace("t", 8, 16e9, points, 86400.0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ":1: not a trace"),
        ("at,foreground\n0,1\n", ":1: not a trace"),
        ("# plancton-trace 1 ncpus=x memory=1\n", ":1: ncpus= and memory="),
        ("# plancton-trace 1 ncpus=2 memory=1\nat,foreground\n0,1\n", "at least two rows"),
        ("# plancton-trace 1 ncpus=2 memory=1\nat\n" + "9" * 200_000, "not a table"),
        ("# plancton-trace 1 ncpus=2 memory=1\nat,foreground\n0,1\nx,1\n", ":4: a number"),
        ("# plancton-trace 1 ncpus=2 memory=1\nat,foreground\n0,1\n0,1\n", ":4: the times"),
        ("# plancton-trace 1 ncpus=2 memory=1\nat,foreground\n0,nan\n1,1\n", ":3: the times"),
    ],
)
def test_a_bad_trace_is_named_with_its_line(tmp_path: Path, text: str, line: str) -> None:
    """One line for people."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(TraceError, match=line):
        read_trace(path)


def test_simulate_compares_configurations(tmp_path: Path) -> None:
    """Side by side as a table, as JSON, and as a picture."""
    few = tmp_path / "few.yaml"
    few.write_text("spawn: {maximum: 1}")
    many = tmp_path / "many.yaml"
    many.write_text("max_docks: ncpus")
    options = ["simulate", "-c", str(few), "-c", str(many), "--synthetic", "idle", "--cores", "4"]
    svg = tmp_path / "plot.svg"
    shown = CliRunner().invoke(app, [*options, "--svg", str(svg)])
    assert shown.exit_code == 0
    assert "SIMULATED" in shown.output
    assert svg.read_text().startswith("<svg")
    figures = json.loads(CliRunner().invoke(app, [*options, "--json"]).output)
    shares = {each["config"]: each["harvested_share"] for each in figures}
    assert shares["few.yaml"] == pytest.approx(0.25, abs=0.01)
    assert shares["many.yaml"] > 0.95


@pytest.mark.parametrize(
    "options", [["--synthetic", "nothing"], ["--trace", "/dev/null"], ["-c", "/nonexistent"]]
)
def test_bad_input_is_refused(options: list[str]) -> None:
    """Before anything runs."""
    result = CliRunner().invoke(app, ["simulate", *options])
    assert isinstance(result.exception, TraceError | FileNotFoundError)


@pytest.mark.parametrize("verb", ["demo", "tui"])
def test_the_screen_needs_a_terminal(verb: str) -> None:
    """Else it says so, and what to use instead."""
    result = CliRunner().invoke(app, [verb])
    assert isinstance(result.exception, RefusedError)
    assert "plancton status" in str(result.exception)


def test_a_fleet_adds_up() -> None:
    """Ten nodes, an hour: every one differs, none loses its owner's time or most of the idle."""
    nodes = tuple(run_fleet(Config(), 10, 1.0, Assumptions()))
    found = FleetResult("defaults", 1.0, 0.0, nodes)
    assert len({(node.kind, node.ncpus, node.idle) for node in nodes}) == 10
    assert sum(found.of(kind).idle for kind in KINDS) == pytest.approx(found.idle)
    assert 0.9 < (found.share or 0) <= 1.0
    assert found.harvested < 3600 * sum(node.ncpus for node in nodes)
    assert found.total(lambda a: a.started) >= sum(node.ncpus for node in nodes) / 2
    assert node_trace(3, 1.0) == node_trace(3, 1.0) != node_trace(4, 1.0)


def test_a_fleet_starts_all_its_pilots_although_it_looks_seldom() -> None:
    """A limit to each tick holds nobody up for two minutes."""
    trace = node_trace(0, 1.0)
    assert trace.name == "spare"
    runs = [
        Simulation(Config(), trace, assumptions=replace(LONG, tick=tick)) for tick in (120.0, 5.0)
    ]
    seldom, often = (each.run() for each in runs)
    assert seldom.account.started == often.account.started == trace.ncpus
    assert seldom.share == pytest.approx(often.share, abs=0.02)
    assert 5 * runs[0].engine.builder.tick < runs[1].engine.builder.tick


def test_simulate_prints_a_fleet_and_refuses_what_it_has_not() -> None:
    """As a table, as JSON, and no picture."""
    options = ["simulate", "--nodes", "2", "--hours", "0.2"]
    table = CliRunner().invoke(app, options)
    assert table.exit_code == 0, table.output
    assert "harvested share of idle CPU" in table.output
    (figures,) = json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)
    assert [node["account"]["started"] > 0 for node in figures["nodes"]] == [True, True]
    refused = CliRunner().invoke(app, [*options, "--cores", "4"])
    assert refused.exit_code == 2
    assert "cores and owners of their own" in refused.output
