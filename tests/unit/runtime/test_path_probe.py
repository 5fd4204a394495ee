"""Looks that may take their time. That of a file system which hangs: tests/examples."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from plancton.runtime.path_probe import PathProbe, Place, ProbeError
from tests.conftest import until


def test_each_path_has_its_answer(tmp_path: Path) -> None:
    """Also when it is asked for twice, and when its name is odd."""
    odd = tmp_path / "a\nb"
    odd.mkdir()
    missing = f"{tmp_path}/c"
    found = PathProbe(60).look([str(odd), missing, str(odd)])
    assert found == {str(odd): Place(str(odd)), missing: Place(missing, errno.ENOENT)}
    assert found[missing].trouble == "No such file or directory"


def test_no_path_needs_no_look() -> None:
    """And no process."""
    assert PathProbe(0).look([]) == {}


def test_what_does_not_answer_in_time_is_said_at_once_until_it_has(tmp_path: Path) -> None:
    """There is one look at a path at a time, and few in all."""
    probe = PathProbe(0, most_stuck=1)
    with pytest.raises(ProbeError, match=rf"{tmp_path} does not answer \(it lies on /.*, \w+\)"):
        probe.look([str(tmp_path)])
    probe.patience = 60
    until(lambda: answers(probe, tmp_path))
    probe.close()


def answers(probe: PathProbe, path: Path) -> bool:
    """Say whether a path is looked at."""
    try:
        return probe.look([str(path)]) == {str(path): Place(str(path))}
    except ProbeError:
        return False


def test_a_path_that_cannot_be_is_said() -> None:
    """No process takes a zero byte."""
    with pytest.raises(ProbeError, match="cannot look at /a"):
        PathProbe(60).look(["/a\0b"])
