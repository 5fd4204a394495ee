"""How pilots are held back on the network, in one line."""

from __future__ import annotations

import pytest

from plancton.engine.model.node import NetworkShare
from plancton.engine.views.text import network_line

HOST = "it uses the node's own network"


@pytest.mark.parametrize(
    ("share", "line"),
    [
        (
            NetworkShare(200_000_000, 50_000_000, True, 3),
            "all pilots together 200 Mbit/s, each 50 Mbit/s in each direction; "
            "packets marked as lower effort; 3 pilots covered",
        ),
        (NetworkShare(marked=True, covered=1), "packets marked as lower effort; 1 pilot covered"),
        (
            NetworkShare(each=1_000_000, uncovered=dict.fromkeys("abcde", HOST)),
            "each 1 Mbit/s in each direction; 0 pilots covered; "
            f"NOT covered: a, b, c and 2 more ({HOST})",
        ),
        (NetworkShare(error="no right"), "not limited; 0 pilots covered; FAILS: no right"),
    ],
)
def test_the_line(share: NetworkShare, line: str) -> None:
    """What holds, for how many, and for whom it does not."""
    assert network_line(share) == line
