"""Threads that start pilots beside the engine's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from plancton.config.schema import Profile
from plancton.engine.model.action import Outcome, Prepare, Spawn
from plancton.engine.model.pilot import Pilot, PilotState
from plancton.engine.model.reason import Code, Reason
from plancton.engine.ports import ActionError, NotBoundError, RuntimeUnavailableError
from plancton.engine.starter import StartPool
from tests.conftest import until

WHY = Reason.of(Code.ROOM)
ONE = Spawn(Profile(name="one"), WHY)


class Engine:
    """A container engine of which each start waits until it is let go."""

    def __init__(self) -> None:
        """Start with none under way, and nobody connected."""
        self.lock, self.go = threading.Lock(), threading.Event()
        self.connected = self.under_way = self.most = 0
        self.closed: list[Connection] = []
        self.threads: set[int] = set()
        self.raises: Exception | None = None

    def connect(self) -> Connection:
        """Connect once more."""
        self.connected += 1
        return Connection(self)


class Connection:
    """One thread's connection."""

    def __init__(self, engine: Engine) -> None:
        """Connect to *engine*."""
        self.engine, self.requests = engine, 0
        self.users: set[int] = set()

    def start(
        self,
        profile: Profile,
        image_id: str = "",
        cpus: tuple[int, ...] = (),
        held_to: float | None = None,
        name: str = "",
    ) -> Pilot:
        """Start one when it is let go."""
        engine = self.engine
        self.requests += 1
        self.users.add(threading.get_ident())
        assert len(self.users) == 1
        with engine.lock:
            engine.under_way += 1
            engine.most = max(engine.most, engine.under_way)
        engine.go.wait(20)
        with engine.lock:
            engine.under_way -= 1
        if cpus and engine.raises is None:
            raise NotBoundError("no cpusets here")
        if engine.raises is not None:
            raise engine.raises
        return Pilot(f"id of {name}", name, profile.name, PilotState.RUNNING, 1.0, 0.0)

    def prepare(self, profile: Profile, image_id: str = "", name: str = "") -> None:
        """Make a spare."""
        self.start(profile, image_id, name=name)

    def close(self) -> None:
        """Take note."""
        self.engine.closed.append(self)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Return an engine; what waits is let go in the end."""
    made = Engine()
    yield made
    made.go.set()


def test_starts_run_at_the_same_time_each_over_a_connection_of_its_own(engine: Engine) -> None:
    """Nobody waits for one; each end is told of; a later start connects no more."""
    told = threading.Semaphore(0)
    pool = StartPool(engine.connect, told.release)
    names = [pool.submit(ONE) for _ in range(4)]
    until(lambda: engine.most == 4)
    assert pool.take_ended() == {}
    engine.go.set()
    for _ in names:
        assert told.acquire(timeout=20)
    ended = pool.take_ended()
    assert ended.keys() == set(names)
    for name, outcome in ended.items():
        assert isinstance(outcome, Outcome)
        assert outcome.started is not None
        assert (outcome.started.name, outcome.subject) == (name, name)
    assert pool.take_ended() == {}
    pool.submit(ONE)
    assert told.acquire(timeout=20)
    assert (engine.connected, pool.requests) == (4, 5)
    pool.close()
    until(lambda: len(engine.closed) == 4)


def test_a_start_that_hangs_blocks_no_other(engine: Engine) -> None:
    """Nor the one who waits for all, for longer than it says."""
    pool = StartPool(engine.connect)
    pool.submit(ONE)
    until(lambda: engine.under_way == 1)
    pool.join(0.01)
    pool.submit(ONE)
    until(lambda: engine.under_way == 2)
    engine.go.set()
    pool.join(20)
    assert len(pool.take_ended()) == 2
    pool.close()


def test_what_cannot_be_bound_is_started_unbound(engine: Engine) -> None:
    """In the same thread, under the same name."""
    engine.go.set()
    pool = StartPool(engine.connect)
    name = pool.submit(Spawn(ONE.profile, WHY, cpus=(0,)))
    pool.join(20)
    (outcome,) = pool.take_ended().values()
    assert isinstance(outcome, Outcome)
    assert outcome.not_bound == "no cpusets here"
    assert outcome.started is not None
    assert outcome.started.name == name
    pool.close()


@pytest.mark.parametrize("error", [RuntimeUnavailableError("away"), ValueError("odd")])
def test_what_a_start_raises_is_handed_over(engine: Engine, error: Exception) -> None:
    """The thread goes on; an answer that refuses is an outcome."""
    engine.go.set()
    pool, engine.raises = StartPool(engine.connect), error
    pool.submit(ONE)
    pool.join(20)
    assert list(pool.take_ended().values()) == [error]
    engine.raises = ActionError("no space")
    pool.submit(ONE)
    pool.submit(Prepare(ONE.profile, WHY))
    pool.join(20)
    outcomes = pool.take_ended().values()
    assert [each.error for each in outcomes if isinstance(each, Outcome)] == ["no space"] * 2
    pool.close()
