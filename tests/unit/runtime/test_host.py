"""The node's clocks, read on a busy machine."""

from __future__ import annotations

from plancton.runtime.host import suspended_seconds


def test_a_lost_cpu_between_two_clocks_is_no_suspend() -> None:
    """A tenth of a second passes before each reading of the awake clock but in one pair."""
    time, reads = 100.0, 0

    def boot() -> float:
        return time + 3600

    def awake() -> float:
        nonlocal time, reads
        reads += 1
        time += 0.0001 if reads == 6 else 0.1
        return time

    assert abs(suspended_seconds(boot, awake) - 3600) < 0.001
