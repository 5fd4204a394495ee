"""Who used the cores: arithmetic over samples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plancton.engine.model.cpu_load import cpu_load, remember
from plancton.engine.model.node import HostSample


def sample(at: float, busy: float, own: float | None, ncpus: int = 4) -> HostSample:
    """Return a sample."""
    return HostSample(at, ncpus, busy, own)


@pytest.mark.parametrize(
    ("samples", "promised", "expected"),
    [
        ([], 0, None),
        ([sample(0, 0, 0)], 0, None),
        ([sample(0, 0, 0), sample(0.4, 1, 0)], 0, None),
        ([sample(0, 0, 0), sample(10, 20, 10)], 0, (1.0, 1.0, 2.0)),
        ([sample(0, 5, 5), sample(10, 45, 45)], 0, (0.0, 4.0, 0.0)),
        ([sample(0, 0, 9), sample(10, 10, 3)], 0, (1.0, 0.0, 3.0)),
        ([sample(0, 0, 0), sample(10, 10, 12)], 0, (0.0, 1.0, 3.0)),
        ([sample(0, 0, None), sample(10, 30, None)], 2, (1.0, 2.0, 1.0)),
        ([sample(0, 0, None), sample(10, 10, None)], 2, (0.0, 1.0, 3.0)),
        ([sample(0, 9, 0), sample(10, 0, 0)], 0, (0.0, 0.0, 4.0)),
    ],
)
def test_who_used_the_cores(
    samples: list[HostSample], promised: float, expected: tuple[float, float, float] | None
) -> None:
    """Foreground is what is busy and not ours; never negative, never more than there is."""
    load = cpu_load(tuple(samples), promised)
    got = load and (load.foreground, load.own, load.idle)
    assert got == (expected and pytest.approx(expected))


def test_the_window_slides_and_stays_small() -> None:
    """Woken a hundred times a second it keeps a handful of samples, spanning the window."""
    kept: tuple[HostSample, ...] = ()
    for i in range(10_000):
        kept = remember(kept, sample(i / 100, i / 100, 0))
    assert len(kept) <= 25
    assert 10 <= kept[-1].at - kept[0].at < 11
    assert len(remember(kept, sample(101, 0, 0, ncpus=8))) == 1


def test_what_was_before_a_suspend_says_nothing() -> None:
    """The boot clock goes on in suspend and the counters do not: a busy owner would look idle."""
    kept = remember((), sample(0, 0, 0))
    kept = remember(kept, sample(10, 40, 0))
    awake = replace(sample(3611, 40.5, 0), suspended_seconds=3600)
    kept = remember(kept, awake)
    assert cpu_load(kept, 0) is None
    kept = remember(kept, replace(awake, at=3612, busy_seconds=44.5))
    load = cpu_load(kept, 0)
    assert load is not None
    assert load.foreground == pytest.approx(4.0)
