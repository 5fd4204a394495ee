"""A container's networks, out of whatever Docker answers."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.runtime.docker.networks import addresses, network_mode


def networks(*each: Any) -> dict[str, Any]:
    """Return an inspection with these networks."""
    return {"NetworkSettings": {"Networks": {f"n{at}": net for at, net in enumerate(each)}}}


@pytest.mark.parametrize(
    ("container", "found"),
    [
        (networks({"IPAddress": "172.17.0.2", "GlobalIPv6Address": ""}), ("172.17.0.2",)),
        (
            networks(
                {"IPAddress": "10.0.0.2", "GlobalIPv6Address": "fd00::2"}, {"IPAddress": "10.1.0.2"}
            ),
            ("10.0.0.2", "fd00::2", "10.1.0.2"),
        ),
        (networks({"IPAddress": "nonsense"}, None, {"IPAddress": 7}), ()),
        ({"NetworkSettings": {"Networks": None}}, ()),
        ({"NetworkSettings": []}, ()),
        ({}, ()),
    ],
)
def test_addresses(container: dict[str, Any], found: tuple[str, ...]) -> None:
    """Of both kinds, on all networks; nonsense is none."""
    assert addresses(container) == found


@pytest.mark.parametrize(
    ("container", "mode"),
    [({"HostConfig": {"NetworkMode": "host"}}, "host"), ({"HostConfig": None}, ""), ({}, "")],
)
def test_the_mode(container: dict[str, Any], mode: str) -> None:
    """Empty where Docker tells none."""
    assert network_mode(container) == mode
