"""What ``protect.network`` will not do on this node, told from the configuration alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

from plancton.config.schema import Config


def network_warnings(config: Config) -> Iterator[str]:
    """Yield a sentence for each lack; none if pilots are not to be held back."""
    network = config.protect.network
    if network.total is None and network.each is None and not network.marks:
        return
    if os.geteuid() != 0:
        yield "protect.network needs root (CAP_NET_ADMIN); without it pilots are not limited"
    for profile in config.pilots:
        if profile.network == "host":
            yield (
                f"protect.network does not reach pilots of {profile.name}: "
                "with network: host they use the node's own network"
            )
