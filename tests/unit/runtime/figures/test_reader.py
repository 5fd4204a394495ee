"""Figures are read by threads of their own: one that hangs holds up nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plancton.config.schema import Figure
from plancton.engine.model.objective import Reading
from plancton.runtime.figures.reader import FigureReader
from tests.conftest import until
from tests.unit.runtime.figures.server import serving


@pytest.fixture
def reader() -> Iterator[FigureReader]:
    """Run a reader; at the end no thread of it is left."""
    before = set(threading.enumerate())
    one = FigureReader(time.monotonic)
    thread = threading.Thread(target=one.run)
    thread.start()
    yield one
    one.stop()
    thread.join(5)
    until(lambda: set(threading.enumerate()) <= before, 10)


def figure(name: str, **fields: Any) -> Figure:
    """Return a figure that is read each second."""
    return Figure.model_validate({"name": name, "interval": 1, "timeout": 0.5, **fields})


def value(reader: FigureReader, name: str) -> float | None:
    """Return the last value."""
    return reader.readings().get(name, Reading()).value


def test_figures_are_read_again_and_again(reader: FigureReader) -> None:
    """Failures leave the last value, and when it was read, beside why; then it recovers."""
    with serving() as server:
        reader.watch([figure("web", http=server.address)])
        until(lambda: value(reader, "web") == 7, 5)
        server.figure = "8"
        until(lambda: value(reader, "web") == 8, 5)
        server.figure = "much"
        until(lambda: reader.readings()["web"].error, 5)
        seen = reader.readings()["web"]
        assert (seen.value, seen.error) == (8, "the answer is not a number: 'much'")
        server.figure = "9"
        until(lambda: value(reader, "web") == 9, 5)
        again = reader.readings()["web"]
        assert not again.error
        assert again.at > seen.at


def test_one_that_hangs_holds_up_nobody(reader: FigureReader) -> None:
    """Neither the other figures, nor who asks."""
    reader.watch(
        [figure("slow", command=["/bin/sleep", "60"]), figure("ok", command=["/bin/echo", "3"])]
    )
    until(lambda: value(reader, "ok") == 3, 5)
    until(lambda: reader.readings()["slow"].error, 5)
    began = time.monotonic()
    assert reader.readings()["slow"].error == "the command did not end within 0.5 s"
    assert time.monotonic() - began < 0.1


def test_a_reading_that_cannot_even_be_cut_off_is_said_to_hang(
    reader: FigureReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a name is looked up, or a file system does not answer."""
    over = threading.Event()

    def stuck(*_: object) -> float:
        over.wait(60)
        raise RuntimeError("what nobody foresaw")

    monkeypatch.setattr("plancton.runtime.figures.reader.read_figure", stuck)
    reader.watch([figure("stuck", command=["/bin/true"])])
    until(lambda: reader.readings().get("stuck", Reading()).error == "no answer within 0.5 s", 5)
    over.set()
    until(lambda: "what nobody foresaw" in reader.readings()["stuck"].error, 5)


def test_what_is_no_longer_wanted_is_not_read(reader: FigureReader, tmp_path: Path) -> None:
    """A command under way is killed; one that changed is read anew and its old value forgotten."""
    pid = tmp_path / "pid"
    text = f"echo $$ > {pid}; exec sleep 60"
    reader.watch([figure("a", command=["/bin/sh", "-c", text], timeout=60)])
    until(lambda: pid.exists() and pid.read_text().strip(), 5)
    reader.watch([figure("a", command=["/bin/echo", "4"])])
    until(lambda: value(reader, "a") == 4, 5)
    until(lambda: not Path("/proc", pid.read_text().strip()).exists(), 5)
    reader.watch([])
    until(lambda: not reader.readings(), 5)


def test_stop_kills_the_command_under_way(tmp_path: Path) -> None:
    """Before it returns."""
    reader = FigureReader(time.monotonic)
    thread = threading.Thread(target=reader.run)
    thread.start()
    pid = tmp_path / "pid"
    text = f"echo $$ > {pid}; exec sleep 60"
    reader.watch([figure("a", command=["/bin/sh", "-c", text], timeout=60)])
    until(lambda: pid.exists() and pid.read_text().strip(), 5)
    reader.stop()
    assert not Path("/proc", pid.read_text().strip()).exists()
    thread.join(5)
    assert not thread.is_alive()
