"""The verb config check, and what it says of objectives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plancton.cli.app import app


def test_commands_of_objectives_that_cannot_be_run_are_named(tmp_path: Path) -> None:
    """Before they are missed; nothing of them is run."""
    plain, ran = tmp_path / "plain", tmp_path / "ran"
    plain.write_text("#!/bin/sh\necho 1\n")
    commands = {
        "good": ["/usr/bin/touch", str(ran)],
        "gone": ["/no/such"],
        "plain": [str(plain)],
        "folder": ["/usr"],
    }
    slo = [{"name": name, "limit": 1, "command": words} for name, words in commands.items()]
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"protect": {"slo": slo}}))
    where = [f"--{name}={tmp_path}" for name in ("rundir", "statedir")]
    result = CliRunner().invoke(app, ["config", "check", str(file), *where])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "protect.slo[gone].command: /no/such is not there" in said
    assert f"protect.slo[plain].command: {plain} is not executable" in said.replace("- ", "-")
    assert "protect.slo[folder].command: /usr is not executable" in said
    assert "protect.slo[good]" not in said
    assert not ran.exists()


def test_what_a_cpu_limit_means_is_said(tmp_path: Path) -> None:
    """Of the profiles that have one, and what keeps it from having an effect."""
    pilots = [
        {"name": "plain", "cpus": 2},
        {"name": "free", "cpu_limit": "none"},
        {"name": "some", "cpus": 0.5, "cpu_limit": 4},
    ]
    file = tmp_path / "config.yaml"
    where = [f"--{name}={tmp_path}" for name in ("rundir", "statedir")]
    for spawn, end in (({}, ""), ({"reserve": 1}, "; not here: spawn.ceiling or spawn.reserve")):
        file.write_text(json.dumps({"pilots": pilots, "spawn": spawn}))
        result = CliRunner().invoke(app, ["config", "check", str(file), *where])
        assert result.exit_code == 0, result.output
        assert "cpu_limit of plain" not in result.output
        said = " ".join(result.output.split())
        assert f"cpu_limit of free: 1 cores promised, and all that are idle{end}" in said
        assert f"cpu_limit of some: 0.5 cores promised, and idle ones up to 4 in all{end}" in said


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, ""),
        ({"spawn": {"maximum": "ncpus - 1"}}, "spawn.maximum allows pilots on"),
        ({"spawn": {"maximum": "ncpus - 1"}, "pilots": [{"cpus": 1.5}]}, ""),
        ({"spawn": {"reserve": 1}}, "spawn.ceiling or spawn.reserve keeps some free"),
        ({"spawn": {"maximum": 0}, "protect": {"latency": "off"}}, ""),
    ],
)
def test_what_keeps_cores_uncovered_is_said(
    config: dict[str, object], says: str, tmp_path: Path
) -> None:
    """Where pilots are to cover them all, for the owner's tail latency."""
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(config))
    where = [f"--{name}={tmp_path}" for name in ("rundir", "statedir")]
    result = CliRunner().invoke(app, ["config", "check", str(file), *where])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    begin = f"protect.latency: pilots roam, they never cover all cores: {says}"
    assert (begin in said) is bool(says)
