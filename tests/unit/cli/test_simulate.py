"""The verb simulate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plancton.cli.app import app
from plancton.simulation.trace import TraceError


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


def test_pilots_may_wait() -> None:
    """Two of them on two cores leave idle what they do not compute."""
    options = ["simulate", "--synthetic", "idle", "--cores", "2", "--efficiency", "0.3", "--json"]
    (figures,) = json.loads(CliRunner().invoke(app, options).output)
    assert 0.3 < figures["harvested_share"] < 0.9
    refused = CliRunner().invoke(app, [*options, "--efficiency", "0"])
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    "options", [["--synthetic", "nothing"], ["--trace", "/dev/null"], ["-c", "/nonexistent"]]
)
def test_bad_input_is_refused(options: list[str]) -> None:
    """Before anything runs."""
    result = CliRunner().invoke(app, ["simulate", *options])
    assert isinstance(result.exception, TraceError | FileNotFoundError)


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


def test_an_objective_that_the_trace_does_not_tell_is_named(tmp_path: Path) -> None:
    """Nothing is run or asked in its place."""
    config = tmp_path / "slo.yaml"
    ran = tmp_path / "ran"
    slo = {"name": "p99", "command": ["/usr/bin/touch", str(ran)], "limit": 1}
    config.write_text(json.dumps({"protect": {"slo": [slo]}}))
    result = CliRunner().invoke(app, ["simulate", "-c", str(config), "--synthetic", "idle"])
    assert result.exit_code == 0
    assert "slo.yaml: idle has no column 'slo p99'" in " ".join(result.output.split())
    assert not ran.exists()
