"""From the configuration and the node's figures to the numbers the engine works with."""

from __future__ import annotations

import math
from collections.abc import Mapping

from plancton.config.schema import Config


def maximum(config: Config, node: Mapping[str, float]) -> int:
    """Return the most pilots at a time, rounded down, at least 0.

    *node* gives ncpus, ram_bytes and swap_bytes. ExpressionError if there is no value here.
    """
    first = config.pilots[0]
    names = {**node, "max_dock_mem": first.memory, "max_dock_swap": first.swap}
    return max(0, math.floor(config.spawn.maximum.evaluate(names)))
