"""The kernel's search for an idle core, on files like debugfs's. For the kernel see tests/vm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plancton.cli.app import app
from plancton.cli.doctor.scheduler import check_idle_core_search
from plancton.engine.errors import RefusedError
from plancton.runtime import idle_core_search
from plancton.runtime.idle_core_search import Found, Search, look, set_limit


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Return a file of features like that of Linux 6.1, without what comes before ours."""
    file = tmp_path / "debug/sched/features"
    file.parent.mkdir(parents=True)
    file.write_text("SIS_UTIL NO_RT_RUNTIME_SHARE UTIL_EST\n")
    return file


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("TTWU_QUEUE NO_SIS_PROP SIS_UTIL NO_WARN_DOUBLE_CLOCK\n", Search.LIMITED),
        ("TTWU_QUEUE NO_SIS_PROP NO_SIS_UTIL NO_WARN_DOUBLE_CLOCK\n", Search.FULL),
        ("TTWU_QUEUE SIS_AVG_CPU SIS_PROP\n", Search.NO_FEATURE),
        ("TTWU_QUEUE SIS_UTIL_2 NO_SIS_UTILISATION\n", Search.NO_FEATURE),
        ("", Search.NO_FEATURE),
    ],
)
def test_what_the_features_say(text: str, search: Search, features: Path) -> None:
    """By whole words."""
    features.write_text(text)
    assert look(features) == Found(search)


def test_the_limit_is_lifted_and_set_again(features: Path) -> None:
    """The kernel reads what is written; a file keeps it at its beginning."""
    assert set_limit(False, features).search is Search.FULL
    assert features.read_text().startswith("NO_SIS_UTIL\n")
    features.write_text("NO_SIS_UTIL\n")
    assert set_limit(True, features).search is Search.LIMITED


def test_a_kernel_without_the_feature_is_left_alone(features: Path) -> None:
    """Nothing is written that it does not know."""
    features.write_text("SIS_PROP\n")
    assert set_limit(False, features).search is Search.NO_FEATURE
    assert features.read_text() == "SIS_PROP\n"


@pytest.mark.parametrize(
    ("error", "found", "mend"),
    [
        (PermissionError(1, "Operation not permitted"), "locked down", "protect.latency"),
        (PermissionError(13, "Permission denied"), "only root may use", "as root"),
        (FileNotFoundError(2, ""), "debugfs is not mounted", "mount -t debugfs debugfs"),
        (OSError(5, "Input/output error"), "Input/output error", ""),
    ],
)
def test_a_file_that_cannot_be_used(
    error: OSError, found: str, mend: str, features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each error has its sentence and its way out; a refused write too."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert found in set_limit(False, features).sentence
    monkeypatch.setattr(Path, "read_text", refuse)
    said = look(features)
    assert said.search is Search.UNKNOWN
    assert found in said.sentence
    assert mend in said.mend


def test_a_mounted_debugfs_without_the_file() -> None:
    """A kernel older than 5.13, or built without its scheduler's features."""
    assert look(Path("/proc/sched/features")).search is Search.NO_FEATURE


def test_the_doctor_offers_to_lift_the_limit() -> None:
    """And has nothing to mend elsewhere."""
    check = check_idle_core_search(Found(Search.LIMITED))
    assert (check.verdict, "bootstrap --tune" in check.mend) == ("OK", True)
    assert check_idle_core_search(Found(Search.FULL)).mend == ""
    assert check_idle_core_search(Found(Search.NO_FEATURE)).mend == ""
    unknown = check_idle_core_search(Found(Search.UNKNOWN, "debugfs is not mounted", "mount it"))
    assert (unknown.found, unknown.mend) == ("unknown: debugfs is not mounted", "mount it")


def test_the_verb_of_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is so now, and fails with the reason."""
    monkeypatch.setattr(
        idle_core_search,
        "set_limit",
        lambda *, limited: Found(Search.LIMITED if limited else Search.FULL),
    )
    assert "NO_SIS_UTIL is set" in CliRunner().invoke(app, ["tune"]).output
    assert "(SIS_UTIL is set)" in CliRunner().invoke(app, ["tune", "--undo"]).output
    refused = Found(Search.UNKNOWN, "the kernel is locked down")
    monkeypatch.setattr(idle_core_search, "set_limit", lambda **_: refused)
    failed = CliRunner().invoke(app, ["tune"])
    assert isinstance(failed.exception, RefusedError)
    assert str(failed.exception) == "the kernel is locked down"
