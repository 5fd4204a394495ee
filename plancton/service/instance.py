"""Which containers are this engine's: those of its instance."""

from __future__ import annotations

import os

from plancton.config.schema import Config
from plancton.runtime.cgroup import DEFAULT_INSTANCE
from plancton.service.process.paths import is_system


def instance_name(config: Config) -> str:
    """Return the instance: as configured, else one for root and one for each user."""
    usual = DEFAULT_INSTANCE if is_system() else f"u{os.geteuid()}"
    return config.node.instance or usual
