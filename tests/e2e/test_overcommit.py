"""What pilots leave idle is promised to more of them, on a real engine."""

from __future__ import annotations

from tests.conftest import until
from tests.e2e.service import CORES, Service


def test_pilots_that_wait_get_company(service: Service) -> None:
    """Sleeping pilots leave all cores idle: one more than there are cores runs."""
    service.configure(spawn={"overcommit": "auto", "maximum": CORES + 1})
    service.start()
    until(lambda: len(service.names()) == CORES, 120)
    until(lambda: len(service.names()) == CORES + 1, 200)
    assert service.status()["overcommit"] > 1
    assert "times what is free" in service.ask("status")
