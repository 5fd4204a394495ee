"""The command line as 0.6.0 took it: options before the verb, ``--user``, ``help``."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plancton.cli.app import app
from plancton.config.load import ConfigError


def run(*words: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("before", [True, False])
def test_options_mean_the_same_before_and_after_the_verb(tmp_path: Path, before: bool) -> None:
    """For verbs of verbs, too."""
    (tmp_path / "config.yaml").write_text("node: {name: a-name}\n")
    options = ("--confdir", tmp_path)
    words = (*options, "config", "show") if before else ("config", "show", *options)
    assert "a-name" in run(*words).stdout


def test_the_later_one_holds(tmp_path: Path) -> None:
    """After the verb rather than before it."""
    error = run("--rundir", tmp_path / "a", "status", "--rundir", tmp_path / "b").exception
    assert str(tmp_path / "b") in str(error)


def test_a_verb_takes_all_options_of_old_and_leaves_what_it_does_not_need(tmp_path: Path) -> None:
    """As scripts for 0.6.0 give them to each."""
    names = ("--logdir", "--rundir", "--pidfile", "--confdir")
    options = [word for name in names for word in (name, tmp_path / name)]
    assert str(tmp_path / "--rundir") in str(run(*options, "status").exception)
    assert "nothing to stop" in run(*options, "stop").stdout


def test_user_means_the_folders_of_old_below_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is for its owner alone; other options go before it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".plancton"
    assert f"{home}/run/" in str(run("--user", "status").exception)
    assert home.stat().st_mode & 0o777 == 0o700
    assert f"{tmp_path}/x/" in str(run("--rundir", tmp_path / "x", "--user", "status").exception)
    error = run("--user", "config", "show").exception
    assert isinstance(error, FileNotFoundError | ConfigError)
    assert f"{home}/conf/config.yaml" in str(error)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), "Usage: plancton [OPTIONS] COMMAND"),
        (("drain",), "Usage: plancton drain [OPTIONS]"),
        (("config", "check"), "Usage: plancton config check [OPTIONS]"),
    ],
)
def test_help_is_a_verb(words: tuple[str, ...], shown: str) -> None:
    """It shows what ``--help`` does."""
    done = CliRunner().invoke(app, ["help", *words], prog_name="plancton")
    assert shown in done.stdout
    assert done.stdout == CliRunner().invoke(app, [*words, "--help"], prog_name="plancton").stdout


def test_help_on_nothing_is_a_mistake() -> None:
    """With a sentence."""
    done = run("help", "dance")
    assert done.exit_code == 2
    assert "there is no verb dance" in done.stderr
