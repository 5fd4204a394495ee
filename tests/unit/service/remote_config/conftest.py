"""What the tests of remote configurations share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.service.remote_config.web import Web


@pytest.fixture
def web() -> Iterator[Web]:
    """Return a server."""
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()
