"""What all pilots together may take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.rules.tables import HOST, guarded, look, pilot, run

GB = 10**9


@pytest.mark.parametrize(
    ("memory", "promised", "expected"),
    [
        ({"stop_below": "10%", "evict_below": "5%"}, 2, (90 * GB, 95 * GB)),
        ({"stop_below": "20GB", "evict_below": "1GB"}, 2, (80 * GB, 99 * GB)),
        ({"stop_below": "off", "evict_below": "off"}, 2, (None, None)),
        ({"stop_below": "60%", "evict_below": "50%"}, 70, (40 * GB, 70 * GB)),
    ],
)
def test_memory_is_bounded_by_what_is_kept_for_the_owner(
    memory: dict[str, Any], promised: int, expected: tuple[int | None, int | None]
) -> None:
    """What kills is never below what was promised to pilots that run."""
    host = replace(HOST, memory_total=100 * GB, memory_available=90 * GB, pids_total=30_000)
    seen = look(pilot("a", memory=promised * GB), foreground=4.0, host=host)
    found = run(seen, guarded(memory=memory)).bounds
    assert (found.memory_high, found.memory_max) == expected
    assert found.pids == 15_000


def test_what_a_pilot_without_a_limit_uses_counts() -> None:
    """It is not killed for what it has."""
    host = replace(HOST, memory_total=100 * GB, memory_available=90 * GB)
    seen = look(pilot("a", memory_used=98 * GB), foreground=4.0, host=host)
    assert run(seen, guarded(memory={"evict_below": "4%"})).bounds.memory_max == 98 * GB


def test_an_unknown_count_of_processes_bounds_nothing() -> None:
    """The kernel does not tell."""
    assert run(look()).bounds.pids is None
