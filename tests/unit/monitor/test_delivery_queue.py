"""The queue: whatever the target does, each record is sent or counted as dropped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plancton.monitor import delivery_queue
from plancton.monitor.delivery_queue import DeliveryQueue
from plancton.monitor.sink import RejectedError, SendResult, UnavailableError
from tests.conftest import until


class Moody:
    """A target that goes through a list of moods, and then takes all."""

    name = "moody"

    def __init__(self, moods: list[str], most: int = 10_000) -> None:
        self.moods, self.most, self.stored = moods, most, list[str]()

    def send(self, records: list[str]) -> SendResult:
        """Store them, or not. What begins with ``bad`` is never taken."""
        mood = self.moods.pop(0) if self.moods else "fine"
        if mood == "away":
            raise UnavailableError("it is away")
        if len(records) > self.most:
            raise RejectedError("too large", too_large=True)
        if any(record.startswith("bad") for record in records):
            raise RejectedError("it does not parse")
        if mood == "lost answer":
            self.stored += records
            raise UnavailableError("no answer")
        if mood == "half":
            half = len(records) // 2
            self.stored += records[:half]
            return SendResult(retry=tuple(records[half:]), error="busy")
        self.stored += records
        return SendResult()


MOODS = st.lists(st.sampled_from(["away", "half", "fine", "lost answer"]), max_size=12)


@given(
    moods=MOODS,
    counts=st.lists(st.integers(0, 40), max_size=8),
    bad=st.integers(0, 3),
    most=st.integers(1, 20),
    limit=st.integers(5, 100),
)
def test_every_record_is_stored_or_counted(
    moods: list[str], counts: list[int], bad: int, most: int, limit: int
) -> None:
    """Sent and dropped add up to what came, and what was sent is there, in its order."""
    target = Moody(list(moods), most)
    queue = DeliveryQueue(target, limit)
    put = 0
    for count in counts:
        names = [f"{put + n:04d}" for n in range(count)]
        names[:bad] = [f"bad{name}" for name in names[:bad]]
        put += len(names)
        queue.enqueue(names)
        queue._send_pending()
    while queue.state().queued:
        queue._send_pending()
    state = queue.state()
    assert state.sent + state.dropped == put
    stored = set(target.stored)
    assert not any(record.startswith("bad") for record in stored)
    # What was stored although no answer came may have been dropped or refused since.
    assert state.sent <= len(stored) <= put
    once = list(dict.fromkeys(target.stored))
    if "lost answer" not in moods and "half" not in moods:
        assert once == sorted(once)
        assert state.sent == len(stored)


def test_the_oldest_go_first() -> None:
    """A full buffer keeps the newest, and counts the others."""
    target = Moody(["away"])
    queue = DeliveryQueue(target, 10)
    queue.enqueue(f"{n:03d}" for n in range(8))
    queue._send_pending()
    queue.enqueue(f"{n:03d}" for n in range(8, 25))
    assert (queue.state().queued, queue.state().dropped) == (10, 15)
    queue._send_pending()
    assert target.stored == [f"{n:03d}" for n in range(15, 25)]


def test_it_learns_how_much_is_too_much() -> None:
    """A server that takes little at once is sent little at once from then on."""
    target = Moody([], most=30)
    queue = DeliveryQueue(target, 10_000)
    queue.enqueue(map(str, range(500)))
    queue._send_pending()
    assert len(target.stored) == 500
    assert queue._max_batch <= 30


def test_what_is_kept_on_disk_outlives_the_process(tmp_path: Path) -> None:
    """The next process sends it; a broken file is no reason not to start."""
    keep = tmp_path / "state" / "kept.json"
    queue = DeliveryQueue(Moody(["away"] * 99), 100, keep)
    queue.start()
    queue.enqueue(["one", "two"], flush=True)
    until(lambda: queue.state().error)
    queue.stop()
    queue.join(5)
    target = Moody([])
    after = DeliveryQueue(target, 100, keep)
    after.start()
    after.enqueue(["three"], flush=True)
    until(lambda: len(target.stored) == 3)
    after.stop()
    after.join(5)
    assert target.stored == ["one", "two", "three"]
    assert not keep.exists()
    keep.write_text("[1, {")
    assert DeliveryQueue(Moody([]), 100, keep).state().queued == 0


class Hanging(Moody):
    """A target that fails, and hangs once it is told to."""

    def __init__(self) -> None:
        """Fail at first."""
        super().__init__(["away"] * 99)
        self.hang, self.over = threading.Event(), threading.Event()

    def send(self, records: list[str]) -> SendResult:
        """Hang, or fail."""
        if self.hang.is_set():
            self.over.wait(30)
        return super().send(records)


def test_a_last_try_that_hangs_costs_nothing_on_disk(tmp_path: Path) -> None:
    """Nobody waits for it, and the next process has it all."""
    keep, target = tmp_path / "kept.json", Hanging()
    queue = DeliveryQueue(target, 100, keep)
    queue.start()
    queue.enqueue(["one"], flush=True)
    until(lambda: queue.state().error)
    target.hang.set()
    queue.enqueue(["two"])
    queue.stop()
    queue.join(0.5)
    assert DeliveryQueue(Moody([]), 100, keep).state().queued == 2
    target.over.set()
    queue.join(5)


def test_points_are_on_disk_while_a_target_is_long_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that came since the last try: a killed process loses little."""
    monkeypatch.setattr(delivery_queue, "_FIRST_RETRY", 60.0)
    monkeypatch.setattr(delivery_queue, "_SPOOL_INTERVAL", 0.1)
    keep = tmp_path / "kept.json"
    queue = DeliveryQueue(Moody(["away"] * 99), 100, keep)
    queue.start()
    queue.enqueue(["one"], flush=True)
    until(lambda: queue.state().error)
    queue.enqueue(["two"])
    until(lambda: DeliveryQueue(Moody([]), 100, keep).state().queued == 2)
    assert queue.state().failures == 1
    queue.stop()
    queue.join(5)


def test_what_is_left_at_the_end_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Without a disk it is lost, and said to be."""
    queue = DeliveryQueue(Moody(["away"] * 99), 100)
    queue.start()
    queue.enqueue(["one", "two"], flush=True)
    until(lambda: queue.state().error)
    queue.stop()
    queue.join(5)
    assert (queue.state().queued, queue.state().dropped) == (0, 2)
    assert "points were not sent" in caplog.text
