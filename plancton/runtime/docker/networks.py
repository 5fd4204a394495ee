"""What Docker says of a container's networks. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any


def network_mode(container: Mapping[str, Any]) -> str:
    """Return the mode in the answer to an inspection; empty if it tells none."""
    host = container.get("HostConfig")
    mode = host.get("NetworkMode") if isinstance(host, Mapping) else None
    return mode if isinstance(mode, str) else ""


def addresses(container: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses in the answer to an inspection, IPv4 and IPv6, on all networks."""
    settings = container.get("NetworkSettings")
    networks = settings.get("Networks") if isinstance(settings, Mapping) else None
    return tuple(_addresses(networks)) if isinstance(networks, Mapping) else ()


def _addresses(networks: Mapping[str, Any]) -> Iterator[str]:
    for network in networks.values():
        for key in ("IPAddress", "GlobalIPv6Address"):
            text = network.get(key) if isinstance(network, Mapping) else None
            if isinstance(text, str) and _is_address(text):
                yield text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
