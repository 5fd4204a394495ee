"""Traces are read as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from plancton.simulation.trace import (
    Trace,
    TraceError,
    TracePoint,
    read_trace,
    trace_header,
    trace_row,
)


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every column, and the node's facts."""
    points = (TracePoint(0, 0.5, 1e9, 2e9, 1, 30.0, 1, 2.5, 3.5), TracePoint(1.5, 0.25, 2e9))
    path = tmp_path / "t.csv"
    path.write_text(trace_header(8, 16e9, 86400.0) + "".join(map(trace_row, points)))
    assert read_trace(path) == Trace("t", 8, 16e9, points, 86400.0)


def test_figures_have_columns_of_their_own(tmp_path: Path) -> None:
    """What is not known at a row is empty; what is no number is none."""
    points = (
        TracePoint(0, 0.5, figures={"p99": 12.5, "queue": 3.0}),
        TracePoint(1, 0.5, figures={"p99": 41.0}),
        TracePoint(2, 0.5),
    )
    path = tmp_path / "t.csv"
    rows = "".join(trace_row(point, ["p99", "queue"]) for point in points)
    path.write_text(trace_header(8, 16e9, 86400.0, ["p99", "queue"]) + rows)
    read = read_trace(path)
    assert read.points == points
    assert read.figures == {"p99", "queue"}
    path.write_text("# plancton-trace 1 ncpus=2 memory=1\nat,foreground,slo a\n0,1,nan\n1,1,\n")
    assert not read_trace(path).figures
    path.write_text("# plancton-trace 1 ncpus=2 memory=1\nat,foreground,slo a\n0,1,x\n1,1,\n")
    with pytest.raises(TraceError, match=":3: a number"):
        read_trace(path)


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
