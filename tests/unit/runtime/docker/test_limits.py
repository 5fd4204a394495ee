"""What an engine says that it cannot enforce is not asked of it."""

from __future__ import annotations

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.node import Limit
from plancton.runtime.docker.container_spec import container_spec
from plancton.runtime.docker.limits import unenforced_limits

CAPABLE = {
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
}
KEYS = {"CpuPeriod", "CpuQuota", "Memory", "MemorySwap", "PidsLimit"}


@pytest.mark.parametrize(
    ("info", "limits", "dropped"),
    [
        (CAPABLE, set(), set()),
        ({}, set(), set()),
        ({**CAPABLE, "CpuCfsQuota": False}, {Limit.CPUS}, {"CpuPeriod", "CpuQuota"}),
        ({**CAPABLE, "CpuCfsPeriod": False}, {Limit.CPUS}, {"CpuPeriod", "CpuQuota"}),
        ({**CAPABLE, "MemoryLimit": False}, {Limit.MEMORY}, {"Memory", "MemorySwap"}),
        ({**CAPABLE, "SwapLimit": False}, {Limit.SWAP}, {"MemorySwap"}),
        ({**CAPABLE, "PidsLimit": False}, {Limit.PIDS}, {"PidsLimit"}),
        (dict.fromkeys(CAPABLE, False), set(Limit), KEYS),
    ],
)
def test_limits_by_the_engines_word(
    info: dict[str, bool], limits: set[Limit], dropped: set[str]
) -> None:
    """What it does not tell of is taken to work, as engines of other makes tell less."""
    found = unenforced_limits(info)
    assert found == limits
    spec = container_spec(
        Profile(), labels={}, parent=None, low_weight=False, oom_score_adj=1000, unenforced=found
    )
    assert KEYS - spec["HostConfig"].keys() == dropped
