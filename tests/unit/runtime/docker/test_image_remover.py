"""What a removal freed."""

from __future__ import annotations

from typing import Any

import pytest

from plancton.runtime.docker.image_remover import freed_bytes

HISTORY = [{"Size": 7}, {"Size": 0}, {"Size": 100}, {"Size": 5000}]


@pytest.mark.parametrize(
    ("deleted", "freed"),
    [
        (["id", "top"], 7),
        (["id", "top", "middle"], 107),
        (["id", "top", "middle", "base"], 5107),
        (["id"], None),  # Podman names no layers
    ],
)
def test_only_the_layers_that_went_are_counted(deleted: list[str], freed: int | None) -> None:
    """The topmost first; those that another image shares stayed."""
    answer: list[Any] = [{"Untagged": "name"}, *({"Deleted": each} for each in deleted)]
    assert freed_bytes("id", answer, HISTORY) == freed
