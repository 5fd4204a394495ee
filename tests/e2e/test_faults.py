"""Docker killed, stalled and restarted under a full house, with a daemon of the tests' own."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plancton.engine.model.operator import Mode
from tests.conftest import INSTANCE, remove_cgroups
from tests.e2e.daemon import Daemon
from tests.e2e.house import PILOTS, House

pytestmark = pytest.mark.docker


@pytest.fixture(params=[True, False], ids=["live-restore", "plain"])
def daemon(request: pytest.FixtureRequest, archive: Path) -> Iterator[Daemon]:
    """Return a running daemon, of both kinds."""
    # Its sockets lie deep below it, and their paths must be short (107 bytes).
    with tempfile.TemporaryDirectory(prefix="plt-") as folder:
        made = Daemon(Path(folder, "d"), f"plt{os.getpid()}", live_restore=request.param)
        try:
            made.start()
            made.load(archive)
            yield made
        finally:
            made.close()
        remove_cgroups(f"plancton-{INSTANCE}")


@pytest.fixture
def house(daemon: Daemon) -> Iterator[House]:
    """Return a full house."""
    made = House(daemon)
    made.fill()
    yield made
    made.runtime.close()


def test_daemon_killed_and_restarted(house: House, daemon: Daemon) -> None:
    """Nothing is concluded while it is away; then survivors are adopted and the dead replaced."""
    before = house.alive
    daemon.signal(signal.SIGKILL)
    for _ in range(3):
        house.step()
    assert "does not run at" in house.degraded
    assert house.alive == before
    house.word.value = Mode.STOPPING
    house.step()
    assert not house.engine.finished
    house.word.value = Mode.ACTIVE
    daemon.start()
    after = house.fill()
    assert house.degraded == ""
    assert (after == before) is daemon.live_restore
    assert house.most == PILOTS


def test_daemon_stalled(house: House, daemon: Daemon) -> None:
    """A daemon that accepts and does not answer is said to be stalled, and nothing is doubled."""
    before = house.alive
    daemon.signal(signal.SIGSTOP)
    house.engine.step()  # images, on a thread of their own, would wait for minutes
    assert "stalled" in house.degraded
    daemon.signal(signal.SIGCONT)
    assert house.fill() == before
    assert house.most == PILOTS
